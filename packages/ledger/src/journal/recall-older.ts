import { idTimeMs } from '../machine/id-time.ts';
import type { IdMemory } from '../machine/id-memory.ts';
import { HALF, TRANSFER_BYTES, TRANSFER_HALVES } from '../machine/transfer-record.ts';
import { u32 } from '../machine/cells.ts';
import type { Operation } from './frame.ts';
import type { IdArchive, PagePlace } from './id-archive.ts';

/**
 * Fetches what the archive knows of the ids that these operations name, so that applying them needs no disk.
 * Costs a comparison for each id that is newer than all that was set aside, which is nearly every one.
 */
export async function recallOlder(
  ids: IdMemory,
  archive: IdArchive,
  operations: readonly Operation[],
): Promise<void> {
  const places: PagePlace[] = [];
  for (const { kind, items } of operations) {
    if (kind === 'transfers') collect(ids, archive, items, places);
  }
  ids.recall(places.length === 0 ? [] : await archive.recall(places));
}

function collect(ids: IdMemory, archive: IdArchive, items: Uint8Array, places: PagePlace[]): void {
  const aligned = items.byteOffset % 4 === 0 ? items : Uint8Array.from(items);
  const halves = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  const count = items.length / TRANSFER_BYTES;
  for (let item = 0; item < count; item += 1) {
    // Of a transfer that is no post or void the second is an account: looked up in vain, harmlessly.
    for (const at of [item * TRANSFER_HALVES + HALF.id, item * TRANSFER_HALVES + HALF.pending]) {
      if (idTimeMs(halves, at) > ids.asideUntilMs || u32(halves, at + 3) === 0) continue;
      if (ids.find(halves, at) < 0) places.push(...archive.whereabouts(halves, at));
    }
  }
}
