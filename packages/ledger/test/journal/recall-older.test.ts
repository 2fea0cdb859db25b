// Shows that an id which moves to the archive while that is looked through is still found.
import { seededRandom, systemClock } from '@clawbernetes/kernel';
import { LEDGER_SCHEMA, TransferBatch } from '@clawbernetes/ledger';
import { MemoryDisk, openMemoryStore, type Store } from '@clawbernetes/storage';
import { expect, it } from 'vitest';
import { IdArchive } from '../../src/journal/id-archive.ts';
import { ENTRY_WORDS, sortedRun, type IdRun } from '../../src/journal/id-run.ts';
import { recallOlder } from '../../src/journal/recall-older.ts';
import { IdMemory } from '../../src/machine/id-memory.ts';
import { ID_STATE } from '../../src/machine/id-state.ts';

const MADE_AT_MS = Date.UTC(2026, 0, 1);
const IDS = [1n, 2n].map((number) => (BigInt(MADE_AT_MS) << 80n) | number);

function runOf(id: bigint): IdRun {
  const entries = new Uint32Array(ENTRY_WORDS);
  entries.set([0n, 32n, 64n, 96n].map((shift) => Number((id >> shift) & 0xffff_ffffn)));
  entries[ENTRY_WORDS - 1] = ID_STATE.done;
  const run = sortedRun(entries);
  if (run === undefined) throw new Error('a run of one');
  return run;
}

/** A store that does something right before it is read. */
function interrupted(store: Store, before: () => void): Store {
  return {
    term: store.term,
    get rows() {
      before();
      return store.rows;
    },
    submit: (changes) => store.submit(changes),
    scan: (range, options) => store.scan(range, options),
    onFailed: (listener) => store.onFailed(listener),
    stats: () => store.stats(),
    share: () => store.share(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

it('by a second look', async () => {
  const disk = new MemoryDisk({ clock: systemClock, random: seededRandom(1) }, { minMs: 0, maxMs: 0 });
  await using store = await openMemoryStore({ clock: systemClock }, disk, { schema: LEDGER_SCHEMA });
  const [first, second] = IDS.map(runOf) as [IdRun, IdRun];
  let interrupt = (): void => undefined;
  const archive = await IdArchive.open(
    interrupted(store, () => interrupt()),
    0,
  );
  await archive.write(first, 1);
  archive.added(first, 1);
  await archive.write(second, 2);
  // A checkpoint ends while the page of the first is read.
  interrupt = () => {
    interrupt = () => undefined;
    archive.added(second, 2);
  };
  const ids = new IdMemory(1, 16);
  ids.archivedUntil(MADE_AT_MS);
  const batch = new TransferBatch(2);
  for (const id of IDS) batch.add({ id, debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 });
  await recallOlder(ids, archive, [{ kind: 'transfers', items: batch.bytes }]);
  const halves = new Uint32Array(batch.bytes.slice().buffer);
  expect(ids.findOlder(halves, 0)).toBeDefined();
  expect(ids.findOlder(halves, 20)).toBeDefined();
});
