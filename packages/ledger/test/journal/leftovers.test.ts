// Shows that what a crash leaves of a checkpoint, or of ids that were being set aside, goes with the next
// one.
import { seededRandom } from '@clawbernetes/kernel';
import { expect, it } from 'vitest';
import { MemoryLedger, sequences } from './memory-ledger.ts';

it.each([1, 2, 3])('nothing of it stays: seed %i', async (seed) => {
  const random = seededRandom(seed);
  const run = new MemoryLedger({ heldIds: 50 });
  let left = 0;
  for (let crash = 0; crash < 12; crash += 1) {
    const store = await run.openStore();
    const ledger = await run.open(store);
    expect(await run.through(run.submit(ledger, run.transfers(60)))).toBe('ok');
    await run.clock.advance(random.fraction() * 40);
    run.disk.crash();
    await run.clock.advance(50);
    await run.through(ledger[Symbol.asyncDispose]());
  }
  const store = await run.openStore();
  const leftovers = async (): Promise<readonly number[]> => {
    const checkpoints = new Set(await sequences(store, 'ledger_checkpoint'));
    const parts = await sequences(store, 'ledger_checkpoint_part');
    const runs = new Set(await sequences(store, 'ledger_id_run'));
    const pages = await sequences(store, 'ledger_id_page');
    return [...parts.filter((part) => !checkpoints.has(part)), ...pages.filter((page) => !runs.has(page))];
  };
  left += (await leftovers()).length;
  expect(left).toBeGreaterThan(0);
  const ledger = await run.open(store);
  expect(await run.through(run.submit(ledger, run.transfers(60)))).toBe('ok');
  await run.clock.advance(200);
  expect(await leftovers()).toEqual([]);
  await run.through(ledger[Symbol.asyncDispose]());
});
