import { idTimeMs } from '../machine/id-time.ts';
import type { IdMemory } from '../machine/id-memory.ts';
import { HALF, TRANSFER_BYTES, TRANSFER_FLAGS, TRANSFER_HALVES } from '../machine/transfer-record.ts';
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
  for (let version = -1; version !== archive.version;) {
    // While pages are read a checkpoint may end, and move ids from memory to where this did not look.
    version = archive.version;
    const places: PagePlace[] = [];
    for (const { kind, items } of operations) if (kind === 'transfers') collect(ids, archive, items, places);
    ids.recall(places.length === 0 ? [] : await archive.recall(places));
  }
}

function collect(ids: IdMemory, archive: IdArchive, items: Uint8Array, places: PagePlace[]): void {
  const aligned = items.byteOffset % 4 === 0 ? items : Uint8Array.from(items);
  const halves = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  const count = items.length / TRANSFER_BYTES;
  const look = (at: number): void => {
    const timeMs = idTimeMs(halves, at);
    // What is forgotten is refused unseen, and its pages may be going away.
    if (timeMs < ids.sinceMs || timeMs > ids.asideUntilMs || ids.find(halves, at) >= 0) return;
    places.push(...archive.whereabouts(halves, at));
  };
  for (let item = 0; item < count; item += 1) {
    const base = item * TRANSFER_HALVES;
    look(base + HALF.id);
    const flags = u32(halves, base + HALF.tail) >>> 16;
    if ((flags & (TRANSFER_FLAGS.post | TRANSFER_FLAGS.void)) !== 0) look(base + HALF.pending);
  }
}
