// Shows that a chain of movements is done wholly or not at all, under ids that nobody can take from it.
import { deepStrictEqual } from 'node:assert';
import { refusalOf } from '@clawbernetes/orders';
import { expect, test } from 'vitest';
import { LedgerMachine, readTransfer, RESULTS, signerId, TransferBatch } from '../../src/index.ts';
import { Books, type Step } from '../../src/orders/books.ts';
import { accountId } from '../../src/orders/standard-accounts.ts';
import { address, ASSET, keyOf, molt, OrderWorld, START_MS } from './order-world.ts';

const owner = address('buyer');
const available = { kind: 'available', owner } as const;
const locked = { kind: 'locked', owner } as const;
const booking = { cause: 'test', timeMs: START_MS, reference: 7n };

function books(): { readonly machine: LedgerMachine; readonly books: Books; readonly ids: bigint[] } {
  const machine = new LedgerMachine({ seed: 1 });
  machine.advance(START_MS);
  const ids: bigint[] = [];
  machine.watch({ transfers: (bytes) => ids.push(readTransfer(bytes, 0).id), expired: () => undefined });
  const made = new Books(machine);
  made.setAsset(ASSET);
  return { machine, books: made, ids };
}

const give = (amount: bigint): Step => ({
  do: 'move',
  from: { kind: 'external' },
  to: available,
  amount,
  kind: 'deposit',
});
const lock = (amount: bigint): Step => ({
  do: 'move',
  from: available,
  to: locked,
  amount,
  kind: 'escrow-fund',
});

function refusal(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return refusalOf(error);
  }
  return undefined;
}

test('a chain whose last step fails has done nothing', () => {
  const at = books();
  at.books.book(booking, [give(10n)]);
  const steps = [lock(6n), lock(6n)];
  expect(refusal(() => at.books.book({ ...booking, cause: 'next' }, steps))).toBe('insufficient-funds');
  expect(at.books.balance(available)).toBe(10n);
  expect(at.books.balance(locked)).toBe(0n);
});

test('whoever has nothing leaves no account behind', () => {
  const at = books();
  expect(refusal(() => at.books.book(booking, [lock(1n)]))).toBe('insufficient-funds');
  expect(at.machine.accountCount).toBe(0);
});

test('ids carry the time of the frame, and differ by cause and place', () => {
  const at = books();
  at.books.book(booking, [give(10n)]);
  at.books.book({ ...booking, cause: 'other' }, [give(10n)]);
  const [first = 0n, second = 0n] = at.ids;
  expect(first >> 80n).toBe(BigInt(START_MS));
  expect(first).not.toBe(second);
});

test('an id that was used is passed over, and nobody can use one on purpose', () => {
  const [probe, at] = [books(), books()];
  probe.books.book(booking, [give(10n)]);
  const [id = 0n] = probe.ids;
  at.books.book({ ...booking, cause: 'before' }, [give(10n)]);
  const squatting = new TransferBatch(1);
  const [debitAccount, creditAccount] = [accountId(available, ASSET), accountId({ kind: 'external' }, ASSET)];
  squatting.add({ id, debitAccount, creditAccount, amount: 1n, code: 1 });
  const signer = keyOf('buyer').publicKey;
  expect([...at.machine.transfer(squatting.bytes, signer)]).toEqual([RESULTS['not-authorized'].code]);
  expect([...at.machine.transfer(squatting.bytes)]).toEqual([0]);
  at.books.book(booking, [give(10n)]);
  expect(at.books.balance(available)).toBe(19n);
});

test('where no id of this time is taken, it is refused', () => {
  const at = books();
  at.machine.forgetBefore(START_MS + 1);
  expect(refusal(() => at.books.book(booking, [give(10n)]))).toBe('ledger-full');
});

test('a step of nothing is left out, and a chain of nothing is nothing', () => {
  const at = books();
  expect(at.books.book(booking, [give(0n)])).toBe(0n);
  expect(at.ids).toEqual([]);
  at.books.book(booking, [give(10n)]);
  const between = { from: available, to: locked, kind: 'escrow-fund' } as const;
  const pendingId = at.books.book(booking, [{ ...between, do: 'reserve', amount: 10n }]);
  // To the machine, a post of nothing is a post of all.
  at.books.book(booking, [{ do: 'post', pendingId, amount: 0n, kind: 'escrow-release' }]);
  expect(at.books.balance(locked)).toBe(0n);
});

test('what somebody pays into an account of the ledger is seen, and changes no promise', () => {
  const at = new OrderWorld();
  at.fundParties();
  const batch = new TransferBatch(1);
  const stake = { kind: 'stake', owner: address('provider') } as const;
  const [debitAccount, creditAccount] = [accountId(available, ASSET), accountId(stake, ASSET)];
  const id = signerId(at.timeMs, keyOf('buyer').publicKey, 5);
  batch.add({ id, debitAccount, creditAccount, amount: 9n, code: 1 });
  expect([...at.machine.transfer(batch.bytes, keyOf('buyer').publicKey)]).toEqual([0]);
  const promised = BigInt(molt(100));
  deepStrictEqual(at.orders.deviations(), [{ account: stake, amount: promised, found: promised + 9n }]);
  expect(at.orders.stake(address('provider')).staked).toBe(promised);
});

test('the very same chain under the very same ids is another chain, and moves money again', () => {
  const at = books();
  at.books.book(booking, [give(10n), lock(3n)]);
  at.books.book(booking, [give(10n), lock(3n)]);
  expect(at.books.balance(available)).toBe(14n);
  expect(at.books.balance(locked)).toBe(6n);
  // Set aside, on its way to the archive.
  at.machine.ids.setAside();
  at.books.book(booking, [give(10n), lock(3n)]);
  expect(at.books.balance(locked)).toBe(9n);
});

test('what failed fails again within its ms, as it did in journals that are replayed', () => {
  const at = books();
  at.books.book({ ...booking, cause: 'before' }, [give(10n)]);
  const account = accountId(available, ASSET);
  at.machine.setFrozen(account, true);
  expect(refusal(() => at.books.book(booking, [lock(1n)]))).toBe('account-frozen');
  at.machine.setFrozen(account, false);
  expect(refusal(() => at.books.book(booking, [lock(1n)]))).toBe('account-frozen');
  at.machine.advance(START_MS + 1);
  expect(refusal(() => at.books.book({ ...booking, timeMs: START_MS + 1 }, [lock(1n)]))).toBeUndefined();
});
