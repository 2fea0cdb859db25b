// Shows how long ids are remembered: nobody is refused for what others do with theirs, and what is dropped
// while it is looked up harms nobody; and that a replay is short whatever was asked.
import { RESULTS } from '@clawbernetes/ledger';
import { describe, expect, it } from 'vitest';
import { MemoryLedger, sequences } from './memory-ledger.ts';

describe('ids', () => {
  it('of a clock that is ahead do not make those of others too old', async () => {
    const run = new MemoryLedger({ heldIds: 10, maxIdRuns: 2 });
    const ledger = await run.open(await run.openStore());
    for (let round = 0; round < 20; round += 1) {
      const ahead = run.transfers(10, run.clock.nowMs() + 59_000);
      expect(await run.through(run.submit(ledger, ahead))).toBe('ok');
      const late = run.transfers(10, run.clock.nowMs() - 30_000);
      expect(await run.through(run.submit(ledger, late))).toBe('ok');
    }
  });

  it('are forgotten in the end, and their runs are dropped', async () => {
    const run = new MemoryLedger({ heldIds: 10, maxIdRuns: 2 });
    const store = await run.openStore();
    const ledger = await run.open(store);
    const first = run.transfers(10);
    expect(await run.through(run.submit(ledger, first))).toBe('ok');
    for (let round = 0; round < 20; round += 1) {
      await run.clock.advance(20_000);
      expect(await run.through(run.submit(ledger, run.transfers(10)))).toBe('ok');
    }
    await run.clock.advance(100);
    expect(await run.through(run.submit(ledger, first))).toBe(`code ${RESULTS['id-too-old'].code}`);
    // Those of the last minute, and those that the next checkpoint drops.
    const runs = await sequences(store, 'ledger_id_run');
    expect(runs.length).toBeLessThan(8);
    const pages = new Set(await sequences(store, 'ledger_id_page'));
    expect([...pages]).toEqual(runs);
  });

  it('fill so many runs and no more, those that are dropped next included', async () => {
    const run = new MemoryLedger({ heldIds: 10, maxIdRuns: 2, rememberedMs: 0 });
    const store = await run.openStore();
    const ledger = await run.open(store);
    const batches: Uint8Array[] = [];
    for (let round = 0; round < 20; round += 1) {
      // So old that the next runs are of later times, and just not refused.
      for (const ageMs of [2500, 0]) batches.push(run.transfers(5, run.clock.nowMs() - ageMs));
      for (const batch of batches.slice(-2)) expect(await run.through(run.submit(ledger, batch))).toBe('ok');
      await run.clock.advance(1000);
    }
    expect(await sequences(store, 'ledger_id_run')).toHaveLength(3);
    const again: string[] = [];
    for (const batch of batches) again.push(await run.through(run.submit(ledger, batch)));
    // What is not too old of the last two rounds is remembered, and so not done again.
    const tooOld = `code ${RESULTS['id-too-old'].code}`;
    expect(again).toEqual([...Array.from({ length: 37 }, () => tooOld), 'ok', tooOld, 'ok']);
    expect((await run.through(ledger.account(2n)))?.creditsPosted).toBe(200n);
  });

  it('that are too old need no page, which may be dropped while it is read', async () => {
    const run = new MemoryLedger({ heldIds: 10, maxIdRuns: 2, rememberedMs: 0 });
    const ledger = await run.open(await run.openStore());
    const old: Uint8Array[] = [];
    for (let round = 0; round < 60; round += 1) {
      const items = run.transfers(10);
      old.push(items);
      expect(await run.through(run.submit(ledger, items))).toBe('ok');
      // Asked again while their runs go.
      const again = old.slice(-8).map((earlier) => run.submit(ledger, earlier));
      const allowed = ['ok', `code ${RESULTS['id-too-old'].code}`];
      for (const outcome of await run.through(Promise.all(again))) expect(allowed).toContain(outcome);
    }
  });
});

describe('a replay', () => {
  it('is short also where no ids were used', async () => {
    const run = new MemoryLedger({ checkpointBytes: 2000 });
    const store = await run.openStore();
    let ledger = await run.open(store);
    for (let round = 0; round < 100; round += 1) {
      const read = ledger.submit({ kind: 'freezes', items: new Uint8Array(24 * 10) });
      await run.through(read);
    }
    const [earlier = 0, newest = 0] = (await sequences(store, 'ledger_checkpoint')).slice(-2);
    // And no oftener than it has to be.
    expect(newest - earlier).toBeGreaterThan(7);
    expect(ledger.sequence - newest).toBeLessThan(20);
    await run.through(ledger[Symbol.asyncDispose]());
    // Also by somebody who is killed again and again before he has written as much.
    for (let round = 0; round < 30; round += 1) {
      ledger = await run.open(store);
      await run.clock.advance(50);
      await run.through(ledger[Symbol.asyncDispose]());
    }
    expect(ledger.sequence - ((await sequences(store, 'ledger_checkpoint')).at(-1) ?? 0)).toBeLessThan(30);
  });
});
