// Shows that whoever asks a ledger that closes or has failed hears of it, that what was taken before is
// booked, and that two ledgers on one store cannot both go on.
import { expect, it } from 'vitest';
import { MemoryLedger, sequences } from './memory-ledger.ts';

it('a ledger that closes books what it has taken, and refuses what comes then', async () => {
  const run = new MemoryLedger({ framesInFlight: 1, frameBytes: 100 });
  const store = await run.openStore();
  const ledger = await run.open(store);
  const before = Array.from({ length: 5 }, () => run.submit(ledger, run.transfers(1)));
  const closing = ledger[Symbol.asyncDispose]();
  const after: Promise<string>[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    for (let request = 0; request < 3; request += 1) after.push(run.submit(ledger, run.transfers(1)));
    await Promise.resolve();
  }
  expect(new Set(await run.through(Promise.all(before)))).toEqual(new Set(['ok']));
  expect(new Set(await run.through(Promise.all(after)))).toEqual(new Set(['ledger-closed']));
  await run.through(closing);
  expect(await run.submit(ledger, run.transfers(1))).toBe('ledger-closed');
  expect(await sequences(store, 'ledger_frame')).toHaveLength(6);
});

it('a ledger whose store fails while nobody asks does not answer from memory', async () => {
  const run = new MemoryLedger();
  const store = await run.openStore();
  const ledger = await run.open(store);
  run.disk.crash();
  // Something else on the same store finds out.
  await expect(run.through(store.submit([]))).rejects.toBeDefined();
  await expect(run.through(ledger.account(2n))).rejects.toMatchObject({ code: 'ledger-closed' });
  await expect(ledger.audit()).rejects.toMatchObject({ code: 'ledger-closed' });
});

it('of two ledgers on one store, the one that comes too late stops both, and nothing is overwritten', async () => {
  const run = new MemoryLedger();
  const store = await run.openStore();
  const [first, second] = [await run.open(store), await run.open(store)];
  expect(await run.through(run.submit(second, run.transfers(1)))).toBe('ok');
  expect(await run.through(run.submit(first, run.transfers(2)))).toBe('ledger-closed');
  expect(await run.through(run.submit(second, run.transfers(1)))).toBe('ledger-closed');
  run.disk.crash();
  await run.clock.advance(50);
  const again = await run.open(await run.openStore());
  expect((await run.through(again.account(2n)))?.creditsPosted).toBe(1n);
});
