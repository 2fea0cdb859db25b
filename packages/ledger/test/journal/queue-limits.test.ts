// Shows what bounds the requests that wait, the frames that they make and the frames on their way to the
// disk; that whoever is refused takes no room; and that a clock that is set back stops nothing.
import { generateKeyPair } from '@clawbernetes/identity';
import { systemRandom } from '@clawbernetes/kernel';
import { encodeAccounts, encodeFreezes, MAX_BATCH_ITEMS, RESULTS, signRequest } from '@clawbernetes/ledger';
import type { Store } from '@clawbernetes/storage';
import { expect, it } from 'vitest';
import { itemCount } from '../../src/journal/apply-frame.ts';
import { decodeFrame, operationBytes, type Frame } from '../../src/journal/frame.ts';
import { readFrames } from '../../src/journal/read-frames.ts';
import { MemoryLedger } from './memory-ledger.ts';

async function journal(store: Store): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  for await (const { body, sequence } of readFrames(store, 1)) frames.push(decodeFrame(body, sequence));
  return frames;
}

it.each([
  ['requests', { maxQueuedRequests: 3 }],
  ['bytes', { maxQueuedBytes: 3 * 96 }],
])('as many %s wait as may; then room is made again', async (_, options) => {
  const run = new MemoryLedger(options);
  const ledger = await run.open(await run.openStore());
  for (let round = 0; round < 3; round += 1) {
    const outcomes = Array.from({ length: 5 }, () => run.submit(ledger, run.transfers(1)));
    expect(await run.through(Promise.all(outcomes))).toEqual([
      'ok',
      'ok',
      'ok',
      'ledger-overloaded',
      'ledger-overloaded',
    ]);
  }
});

it('what is not signed by whom it names takes no room', async () => {
  const run = new MemoryLedger({ maxQueuedRequests: 3 });
  const ledger = await run.open(await run.openStore());
  const key = generateKeyPair(systemRandom);
  for (let request = 0; request < 10; request += 1) {
    const facts = { nonce: request + 1, expiresAtMs: run.clock.nowMs() + 1000, ledgerId: 'another' };
    const forged = signRequest(key, { kind: 'transfers', items: run.transfers(1), ...facts });
    await expect(ledger.submit(forged)).rejects.toMatchObject({ code: 'signature-invalid' });
  }
  expect(await run.through(run.submit(ledger, run.transfers(1)))).toBe('ok');
});

it('only the ledger itself freezes and forgets', async () => {
  const run = new MemoryLedger();
  const ledger = await run.open(await run.openStore());
  const key = generateKeyPair(systemRandom);
  const mine = { id: 3n, owner: key.publicKey, floor: 0n, asset: 1, code: 1, flags: 0 };
  await run.through(ledger.submit({ kind: 'accounts', items: encodeAccounts([mine]) }));
  const facts = { expiresAtMs: run.clock.nowMs() + 60_000, ledgerId: 'test' };
  const asked = [
    { kind: 'freezes', items: encodeFreezes([{ account: 2n, frozen: true }]), nonce: 1 },
    { kind: 'forget', items: new Uint8Array(Float64Array.of(Date.now() * 2).buffer), nonce: 2 },
  ] as const;
  for (const request of asked) {
    const codes = await run.through(ledger.submit(signRequest(key, { ...request, ...facts })));
    expect([...codes]).toEqual([RESULTS['not-authorized'].code]);
  }
  expect((await run.through(ledger.account(2n)))?.frozen).toBe(false);
  expect(await run.through(run.submit(ledger, run.transfers(1)))).toBe('ok');
});

it('a frame has so many bytes and items, or one request', async () => {
  const run = new MemoryLedger({ frameBytes: 600_000 });
  const store = await run.openStore();
  const ledger = await run.open(store);
  const sizes = [3000, 3000, 3000, 5000, 1, 8190, 1, 1];
  const outcomes = sizes.map((size) => run.submit(ledger, run.transfers(size)));
  expect(new Set(await run.through(Promise.all(outcomes)))).toEqual(new Set(['ok']));
  const [, ...frames] = await journal(store);
  expect(frames.flatMap(({ operations }) => operations.map(itemCount))).toEqual(sizes);
  expect(frames.map(({ operations }) => operations.length)).toEqual([2, 1, 2, 1, 2]);
  const many = new MemoryLedger({ frameBytes: 10_000_000 });
  const other = await many.openStore();
  const ledgerOfMany = await many.open(other);
  const all = Array.from({ length: 6 }, () => many.submit(ledgerOfMany, many.transfers(3000)));
  await many.through(Promise.all(all));
  for (const { operations } of await journal(other)) {
    const items = operations.reduce((sum, operation) => sum + itemCount(operation), 0);
    expect(items).toBeLessThanOrEqual(MAX_BATCH_ITEMS);
    expect(operations.reduce((sum, operation) => sum + operationBytes(operation), 0)).toBeLessThan(700_000);
  }
});

it('so many frames are on their way to the disk; what comes then shares the next', async () => {
  const run = new MemoryLedger({ framesInFlight: 2, frameBytes: 1000 });
  const store = await run.openStore();
  const ledger = await run.open(store);
  const outcomes: Promise<string>[] = [];
  let most = 0;
  for (let turn = 0; turn < 50; turn += 1) {
    outcomes.push(run.submit(ledger, run.transfers(1)));
    await run.turns(1);
    most = Math.max(most, store.stats().queuedBatches);
  }
  expect(most).toBe(2);
  expect(new Set(await run.through(Promise.all(outcomes)))).toEqual(new Set(['ok']));
  expect((await journal(store)).length).toBeLessThan(20);
});

it('a clock that is set back stops nothing, and the time of frames never falls', async () => {
  const run = new MemoryLedger();
  const store = await run.openStore();
  const ledger = await run.open(store);
  const made = run.clock.nowMs();
  expect(await run.through(run.submit(ledger, run.transfers(1, made)))).toBe('ok');
  run.clock.jumpWallTime(-3_600_000);
  for (let request = 0; request < 3; request += 1)
    expect(await run.through(run.submit(ledger, run.transfers(1, made)))).toBe('ok');
  const times = (await journal(store)).map(({ timeMs }) => timeMs);
  expect(times).toEqual(times.toSorted((left, right) => left - right));
});
