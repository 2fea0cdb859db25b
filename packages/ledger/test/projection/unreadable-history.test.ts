// Shows that a history that cannot be read back is an error, which leaves no thread behind.
import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { HISTORY_SCHEMA, Projection } from '@clawbernetes/ledger';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SECTION } from '../../src/projection/segment-layout.ts';

let threads = 0;
const count = (): void => {
  threads += 1;
};
beforeEach(() => {
  threads = 0;
  process.on('worker', count);
});
afterEach(() => {
  process.off('worker', count);
});

it.each([
  ['an empty history has a thread', false, 1],
  ['of one with a page that is torn none was started', true, 0],
])('%s', async (_, isTorn, expected) => {
  const clock = new VirtualClock();
  const disk = new MemoryDisk({ clock, random: seededRandom(1) }, { minMs: 0, maxMs: 0 });
  await using store = await openMemoryStore({ clock }, disk, { schema: HISTORY_SCHEMA });
  const facts = {
    first_row: 0,
    rows: 1,
    after_sequence: 0,
    sequence: 1,
    first_ms: 0,
    last_ms: 0,
    accounts: 1,
  };
  const segment = { segment: 1, ...facts, buckets: 0, heads: 0, times: new Uint8Array(4) };
  const page = { segment: 1, section: SECTION.accounts, page: 0, body: new Uint8Array(1) };
  const torn = [
    { table: 'ledger_segment_page', insert: page },
    { table: 'ledger_segment', insert: segment },
  ];
  if (isTorn) await Promise.all([store.submit(torn), clock.advance(10)]);
  const opened = Projection.open({ store, logger: silentLogger });
  if (isTorn) await expect(opened).rejects.toThrow('page of the history');
  else await (await opened)[Symbol.asyncDispose]();
  // Node tells of a thread a moment after it was started.
  await new Promise((resolve) => setImmediate(resolve));
  expect(threads).toBe(expected);
});
