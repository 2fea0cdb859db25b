// Shows that records are read as they were written, and that nothing that does not fit is cut to fit.
import {
  ACCOUNT_BYTES,
  encodeAccounts,
  MAX_BATCH_ITEMS,
  NO_FLOOR,
  readAccount,
  readTransfer,
  RESULTS,
  resultName,
  TRANSFER_BYTES,
  TransferBatch,
  type Account,
  type Transfer,
} from '@clawbernetes/ledger';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFreezes, readFreeze } from '../../src/machine/freeze-record.ts';
import { isFinalFailure } from '../../src/machine/result-code.ts';
import { account, batchOf, fundedMachine, id, names, type Item } from './machine-fixture.ts';

const wide = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const half = fc.nat(0xffff);

test('accounts and freezes come back as they were', () => {
  const owner = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const floor = fc.bigInt({ min: NO_FLOOR, max: (1n << 63n) - 1n });
  const asset = fc.integer({ min: 0, max: 0xffff_ffff });
  const accounts = fc.array(fc.record({ id: wide, owner, floor, asset, code: half, flags: half }));
  fc.assert(
    fc.property(accounts, (all) => {
      const bytes = encodeAccounts(all);
      expect(all.map((_, index) => readAccount(bytes, index))).toEqual(all);
      const freezes = all.map((one) => ({ account: one.id, frozen: one.floor > 0n }));
      const frozen = encodeFreezes(freezes);
      expect(freezes.map((_, index) => readFreeze(frozen, index))).toEqual(freezes);
    }),
  );
});

test('transfers come back as they were, from anywhere in memory', () => {
  const common = {
    id: wide,
    creditAccount: wide,
    amount: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    reference: wide,
    timeoutSeconds: fc.integer({ min: 0, max: 0xffff_ffff }),
    code: half,
  };
  const transfers = fc.array(
    fc.oneof(
      fc.record({
        ...common,
        debitAccount: wide,
        pendingId: fc.constant(0n),
        flags: fc.constantFrom(0, 1, 2, 3),
      }),
      fc.record({
        ...common,
        debitAccount: fc.constant(0n),
        pendingId: wide,
        flags: fc.constantFrom(4, 5, 8),
      }),
    ),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(transfers, fc.nat(9), (all: readonly Transfer[], shift) => {
      const batch = new TransferBatch(all.length);
      for (const transfer of all) batch.add(transfer);
      const moved = new Uint8Array(batch.bytes.length + shift).subarray(shift);
      moved.set(batch.bytes);
      expect(all.map((_, index) => readTransfer(moved, index))).toEqual(all);
    }),
  );
});

test('the owner that is read from a Buffer stays when the buffer is used again', () => {
  const bytes = Buffer.from(encodeAccounts([account({ id: 1n, owner: new Uint8Array(32).fill(9) })]));
  const { owner } = readAccount(bytes, 0);
  bytes.fill(0);
  expect([...owner]).toEqual(Array.from({ length: 32 }, () => 9));
});

test.each<[string, Partial<Account>]>([
  ['an id of 129 bits', { id: 1n << 128n }],
  ['a negative id', { id: -1n }],
  ['an asset of 33 bits', { asset: 2 ** 32 }],
  ['a fractional asset', { asset: 1.5 }],
  ['a code of 17 bits', { code: 65_536 }],
  ['negative flags', { flags: -1 }],
  ['a floor below 64 bits', { floor: NO_FLOOR - 1n }],
  ['a floor above 64 bits', { floor: 1n << 63n }],
  ['a short owner', { owner: new Uint8Array(31) }],
])('%s is no account', (_, over) => {
  expect(() => encodeAccounts([account({ id: 1n, ...over })])).toThrow(RangeError);
});

test.each<[string, Partial<Transfer>]>([
  ['an id of 129 bits', { id: 1n << 128n }],
  ['an amount of 65 bits', { amount: 1n << 64n }],
  ['a negative amount', { amount: -1n }],
  // It would become zero, which is: never.
  ['a timeout of 33 bits', { timeoutSeconds: 2 ** 32 }],
  ['a timeout that is not a number', { timeoutSeconds: NaN }],
  ['a negative timeout', { timeoutSeconds: -1 }],
  ['a code of 17 bits', { code: 65_537 }],
  ['flags of 17 bits', { flags: 65_536 }],
])('%s is no transfer, and leaves the batch as it was', (_, over) => {
  const batch = new TransferBatch(2);
  batch.add({ id: 1n, amount: 5n, code: 1 });
  expect(() => batch.add({ id: 2n, ...over })).toThrow(RangeError);
  expect(batch.count).toBe(1);
  batch.add({ id: 3n, amount: 7n });
  expect(readTransfer(batch.bytes, 1)).toMatchObject({ id: 3n, amount: 7n, timeoutSeconds: 0, code: 0 });
  expect(() => batch.add({ id: 4n })).toThrow('full');
});

test('an account id of more than 128 bits is nobody, not the one that its lower bits name', () => {
  const machine = fundedMachine();
  for (const wrong of [2n + (1n << 128n), -1n, 2n - (1n << 128n), 0n, 1n << 128n]) {
    expect(machine.account(wrong)).toBeUndefined();
    expect(names([machine.setFrozen(wrong, true)])).toEqual(['account-not-found']);
  }
  expect([...machine.accounts()].filter(({ frozen }) => frozen)).toEqual([]);
  expect(() => encodeFreezes([{ account: 1n << 128n, frozen: true }])).toThrow(RangeError);
});

test('batches hold 0 to 8,190 whole records', () => {
  const machine = fundedMachine();
  expect(machine.transfer(new Uint8Array())).toHaveLength(0);
  expect(machine.openAccounts(new Uint8Array())).toHaveLength(0);
  const items = Array.from({ length: MAX_BATCH_ITEMS }, (_, index): Item => ({
    id: id(index + 1),
    debitAccount: 1n,
    creditAccount: 2n,
    amount: 1n,
    flags: index < MAX_BATCH_ITEMS - 1 ? 1 : 0,
  }));
  // All of it one chain.
  expect(new Set(names(machine.transfer(batchOf(items))))).toEqual(new Set(['ok']));
  expect(machine.account(2n)?.creditsPosted).toBe(100n + BigInt(MAX_BATCH_ITEMS));
  const accounts = Array.from({ length: MAX_BATCH_ITEMS }, (_, index) =>
    account({ id: BigInt(100 + index) }),
  );
  expect(new Set(names(machine.openAccounts(encodeAccounts(accounts))))).toEqual(new Set(['ok']));
  for (const length of [1, TRANSFER_BYTES - 1, TRANSFER_BYTES + 1, (MAX_BATCH_ITEMS + 1) * TRANSFER_BYTES])
    expect(() => machine.transfer(new Uint8Array(length))).toThrow('whole records');
  for (const length of [1, ACCOUNT_BYTES + 8, (MAX_BATCH_ITEMS + 1) * ACCOUNT_BYTES])
    expect(() => machine.openAccounts(new Uint8Array(length))).toThrow('whole records');
  machine.assertConservation();
});

test('a chain of 8,190 items whose last one fails leaves nothing', () => {
  const machine = fundedMachine();
  const before = [...machine.accounts()];
  const items = Array.from({ length: MAX_BATCH_ITEMS }, (_, index): Item => {
    const reserve = { debitAccount: 2n, creditAccount: 3n, amount: 1n, flags: 3, timeoutSeconds: 5 };
    const post = { pendingId: id(index), flags: 5 };
    return { id: id(index + 1), ...(index % 2 === 0 ? reserve : post) };
  });
  items[MAX_BATCH_ITEMS - 1] = { id: id(99_999), debitAccount: 77n, creditAccount: 3n, amount: 1n };
  // Alice has 100: the 101st reservation fails, and the rest is not looked at.
  const results = names(machine.transfer(batchOf(items)));
  expect(results[200]).toBe('insufficient-funds');
  expect(results.filter((result) => result === 'linked-event-failed')).toHaveLength(MAX_BATCH_ITEMS - 1);
  expect([...machine.accounts()]).toEqual(before);
  expect(machine.pendingCount).toBe(0);
  machine.assertConservation();
});

test('each result has a number of its own, its name and a reason', () => {
  const all = Object.entries(RESULTS);
  for (const [index, [name, { code, final, says }]] of all.entries()) {
    expect(code).toBe(index);
    expect(resultName(code)).toBe(name);
    expect(isFinalFailure(code)).toBe(final);
    expect(says).toMatch(/^[A-Z].*\.$/);
  }
  expect(resultName(all.length)).toBeUndefined();
});
