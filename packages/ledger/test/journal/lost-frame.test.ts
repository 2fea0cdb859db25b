// Shows that a frame which the store does not take stops the ledger: the journal has no gap, nothing is
// answered after it, and no checkpoint knows of it.
import { describe, expect, it } from 'vitest';
import { MemoryLedger, sequences } from './memory-ledger.ts';

describe('a frame that the store does not take', () => {
  it.each([1, 2, 3, 5, 8])('where it takes %i batches at once', async (maxQueuedBatches) => {
    const run = new MemoryLedger({ framesInFlight: 16, frameBytes: 100, heldIds: 3 });
    const store = await run.openStore({ maxQueuedBatches });
    const ledger = await run.open(store);
    const outcomes = await run.through(
      Promise.all(Array.from({ length: 30 }, () => run.submit(ledger, run.transfers(1)))),
    );
    // Also when the store takes more again.
    await run.clock.advance(100);
    expect(await run.submit(ledger, run.transfers(1))).toBe('ledger-closed');
    await run.through(ledger[Symbol.asyncDispose]());
    const frames = await sequences(store, 'ledger_frame');
    expect(frames).toEqual(frames.map((_, index) => index + 1));
    // One frame opened the accounts.
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(frames.length - 1);
    expect(outcomes.indexOf('ledger-closed')).toBe(frames.length - 1);
    expect(outcomes.filter((outcome) => outcome === 'ledger-closed')).toHaveLength(31 - frames.length);
  });

  it('is in no checkpoint', async () => {
    const run = new MemoryLedger({ heldIds: 100 });
    const store = await run.openStore({ maxQueuedBytes: 20_000 });
    const ledger = await run.open(store);
    const kept = run.submit(ledger, run.transfers(1));
    await run.turns();
    // Too long for a store that has something to do already; and a checkpoint is due with it.
    const lost = run.submit(ledger, run.transfers(250));
    expect(await run.through(Promise.all([kept, lost]))).toEqual(['ok', 'ledger-closed']);
    await run.through(ledger[Symbol.asyncDispose]());
    await run.clock.advance(100);
    expect(await sequences(store, 'ledger_frame')).toEqual([1, 2]);
    expect(await sequences(store, 'ledger_checkpoint')).toEqual([]);
    const again = await run.open(store);
    expect((await run.through(again.account(2n)))?.creditsPosted).toBe(1n);
  });
});
