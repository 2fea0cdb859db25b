// Shows that a ledger comes back from a checkpoint of many parts as it was, that two checkpoints are kept,
// and that what was pending is known to be over long after it was set aside.
import { encodeAccounts, NO_FLOOR, RESULTS, TRANSFER_FLAGS, TransferBatch } from '@clawbernetes/ledger';
import { expect, it } from 'vitest';
import { MemoryLedger, sequences } from './memory-ledger.ts';

it('of more than a mebibyte of accounts', async () => {
  const run = new MemoryLedger({ heldIds: 10, checkpointBytes: 10 });
  const store = await run.openStore();
  const ledger = await run.open(store);
  const facts = { owner: new Uint8Array(32).fill(7), asset: 1, code: 1, flags: 0, floor: NO_FLOOR };
  for (let first = 0; first < 12_000; first += 6000) {
    const accounts = Array.from({ length: 6000 }, (_, index) => ({
      id: BigInt(100 + first + index),
      ...facts,
    }));
    await run.through(ledger.submit({ kind: 'accounts', items: encodeAccounts(accounts) }));
  }
  for (let batch = 0; batch < 4; batch += 1)
    expect(await run.through(run.submit(ledger, run.transfers(8000)))).toBe('ok');
  await run.clock.advance(500);
  await run.through(ledger[Symbol.asyncDispose]());
  const newest = (await sequences(store, 'ledger_checkpoint')).at(-1) ?? 0;
  // After all accounts were opened, which take two parts beside the key and the orders.
  expect(newest).toBeGreaterThan(3);
  const parts = await sequences(store, 'ledger_checkpoint_part');
  expect(parts.filter((sequence) => sequence === newest).length).toBe(4);
  const again = await run.open(store);
  expect(again.accountCount).toBe(12_002);
  expect((await run.through(again.account(12_099n)))?.floor).toBe(NO_FLOOR);
  expect((await run.through(again.account(2n)))?.creditsPosted).toBe(32_000n);
});

it('and the one before it are kept, and none before them', async () => {
  const run = new MemoryLedger({ heldIds: 10 });
  const store = await run.openStore();
  const ledger = await run.open(store);
  for (let round = 0; round < 10; round += 1) {
    expect(await run.through(run.submit(ledger, run.transfers(10)))).toBe('ok');
    await run.clock.advance(100);
  }
  const checkpoints = await sequences(store, 'ledger_checkpoint');
  expect(checkpoints).toHaveLength(2);
  expect([...new Set(await sequences(store, 'ledger_checkpoint_part'))]).toEqual(checkpoints);
});

it('with what was posted and voided long before', async () => {
  const run = new MemoryLedger({ heldIds: 10 });
  const store = await run.openStore();
  let ledger = await run.open(store);
  let ids = 1_000_000n;
  const submit = async (facts: { flags: number; amount: bigint; pendingId?: bigint }): Promise<bigint> => {
    const { pendingId, ...rest } = facts;
    const id = (BigInt(run.clock.nowMs()) << 80n) | ids++;
    const accounts = pendingId === undefined ? { debitAccount: 1n, creditAccount: 2n } : { pendingId };
    const batch = new TransferBatch(1);
    batch.add({ id, code: 1, ...accounts, ...rest });
    const [code = -1] = await run.through(ledger.submit({ kind: 'transfers', items: batch.bytes }));
    codes.push(code);
    return id;
  };
  const codes: number[] = [];
  const { pending, post, void: giveUp } = TRANSFER_FLAGS;
  const posted = await submit({ flags: pending, amount: 5n });
  await submit({ flags: post, amount: 0n, pendingId: posted });
  const voided = await submit({ flags: pending, amount: 5n });
  await submit({ flags: giveUp, amount: 0n, pendingId: voided });
  for (let round = 0; round < 5; round += 1) {
    expect(await run.through(run.submit(ledger, run.transfers(10)))).toBe('ok');
    await run.clock.advance(100);
  }
  const ask = async (): Promise<void> => {
    await submit({ flags: post, amount: 0n, pendingId: posted });
    await submit({ flags: post, amount: 0n, pendingId: voided });
  };
  await ask();
  await run.through(ledger[Symbol.asyncDispose]());
  // A replay tells the same from the archive.
  ledger = await run.open(store);
  await ask();
  const over = [RESULTS['pending-already-posted'].code, RESULTS['pending-already-voided'].code];
  expect(codes).toEqual([0, 0, 0, 0, ...over, ...over]);
});
