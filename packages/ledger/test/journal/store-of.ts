import { seededRandom } from '@clawbernetes/kernel';
import type { VirtualClock } from '@clawbernetes/kernel/testing';
import { LEDGER_SCHEMA } from '@clawbernetes/ledger';
import { MemoryDisk, openMemoryStore, type Store } from '@clawbernetes/storage';
import type { WrittenJournal } from './make-journal.ts';

/** A store that holds these frames and nothing else. */
export async function storeOf(clock: VirtualClock, frames: WrittenJournal['frames']): Promise<Store> {
  const disk = new MemoryDisk({ clock, random: seededRandom(1) }, { minMs: 0, maxMs: 0 });
  const store = await openMemoryStore({ clock }, disk, { schema: LEDGER_SCHEMA });
  const rows = frames.map(({ timeMs, hash, body }, index) => {
    const [hashBytes, bodyBytes] = [hash, body].map((text) => new Uint8Array(Buffer.from(text, 'base64')));
    const insert = { sequence: index + 1, time_ms: timeMs, hash: hashBytes ?? null, body: bodyBytes ?? null };
    return { table: 'ledger_frame', insert };
  });
  const done = store.submit(rows);
  await clock.advance(10);
  await done;
  return store;
}
