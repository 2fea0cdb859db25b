// Shows how a pending transfer ends, once: by post, by void or by time; and who may end it.
import { TRANSFER_FLAGS } from '@clawbernetes/ledger';
import { describe, expect, test } from 'vitest';
import {
  account,
  ALICE,
  ALICES,
  available,
  BOB,
  BOBS,
  fundedMachine,
  id,
  ISSUER,
  MALLORY,
  open,
  ownId,
  START_MS,
  STRANGER,
  transfer,
  type Item,
} from './machine-fixture.ts';

const { pending, post, void: giveUp } = TRANSFER_FLAGS;

const reserve = (number: number, over: Partial<Item> = {}): Item => ({
  id: id(number),
  debitAccount: ALICES,
  creditAccount: BOBS,
  amount: 10n,
  flags: pending,
  ...over,
});
const complete = (number: number, of: number, flags: number, amount = 0n): Item => ({
  id: id(number),
  pendingId: id(of),
  amount,
  flags,
});

describe('time', () => {
  test('is up at the very millisecond', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1, { timeoutSeconds: 2 }), reserve(2, { timeoutSeconds: 2 })]);
    expect(machine.nextExpiryMs).toBe(START_MS + 2000);
    expect(machine.advance(START_MS + 1999)).toEqual([]);
    expect(transfer(machine, [complete(3, 1, post)])).toEqual(['ok']);
    expect(machine.advance(START_MS + 2000)).toMatchObject([{ id: id(2), amount: 10n }]);
    expect(transfer(machine, [complete(4, 2, post), complete(5, 2, giveUp)])).toEqual([
      'pending-expired',
      'pending-expired',
    ]);
    expect([available(machine, ALICES), available(machine, BOBS)]).toEqual([90n, 110n]);
  });

  test('gives up the earliest first, those of one moment by id', () => {
    const machine = fundedMachine();
    transfer(machine, [
      reserve(9, { timeoutSeconds: 3 }),
      reserve(1, { timeoutSeconds: 3 }),
      reserve(5, { timeoutSeconds: 1 }),
      reserve(7),
    ]);
    expect(machine.advance(START_MS + 5000).map((expiry) => expiry.id)).toEqual([id(5), id(1), id(9)]);
    expect(machine.nextExpiryMs).toBe(Infinity);
    expect(machine.pendingCount).toBe(1);
  });

  test('the longest there is does not wrap', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1, { timeoutSeconds: 0xffff_ffff })]);
    expect(machine.nextExpiryMs).toBe(START_MS + 0xffff_ffff * 1000);
  });

  test.each([NaN, Infinity, START_MS - 1, START_MS + 0.5, 2 ** 53])('never becomes %d', (timeMs) => {
    const machine = fundedMachine();
    expect(() => machine.advance(timeMs)).toThrow('the time of a ledger');
    expect(machine.timeMs).toBe(START_MS);
  });
});

describe('many that expire together', () => {
  test('go in parts, but none can be posted any more', () => {
    const machine = fundedMachine();
    const parts = [1, 2, 3].map((part) => part * 8000);
    for (const first of parts) {
      const items = Array.from({ length: 8000 }, (_, index) => {
        return reserve(first + index, { amount: 1n, debitAccount: ISSUER, timeoutSeconds: 2 });
      });
      expect(transfer(machine, items).every((result) => result === 'ok')).toBe(true);
      machine.advance(machine.timeMs + 1);
    }
    const lastMs = machine.timeMs + 2000;
    // All of the first two times, since the limit falls into the second.
    expect(machine.advance(lastMs)).toHaveLength(16_000);
    expect(machine.pendingCount).toBe(8000);
    expect(machine.nextExpiryMs).toBeLessThanOrEqual(lastMs);
    expect(transfer(machine, [complete(99_999, 24_001, post)])).toEqual(['pending-expired']);
    expect(machine.advance(lastMs)).toHaveLength(8000);
    expect(machine.pendingCount).toBe(0);
    machine.assertConservation();
  });
});

describe('post and void', () => {
  test('end it once: in one batch the first one counts', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1), reserve(2)]);
    const items = [
      complete(3, 1, post),
      complete(4, 1, giveUp),
      complete(5, 2, giveUp),
      complete(6, 2, post),
    ];
    expect(transfer(machine, items)).toEqual([
      'ok',
      'pending-already-posted',
      'ok',
      'pending-already-voided',
    ]);
    expect(available(machine, BOBS)).toBe(110n);
  });

  test('in the batch of the reservation itself', () => {
    const machine = fundedMachine();
    expect(
      transfer(machine, [reserve(1), complete(2, 1, post, 3n), reserve(3), complete(4, 3, giveUp)]),
    ).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect([available(machine, ALICES), available(machine, BOBS)]).toEqual([97n, 103n]);
  });

  test('of nothing, of itself, of a transfer that never was pending, of more than there is', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1), reserve(2, { flags: 0 })]);
    expect(
      transfer(machine, [
        complete(3, 77, post),
        complete(4, 4, post),
        complete(5, 2, post),
        complete(6, 1, post, 11n),
        { id: id(7), flags: post },
        { ...complete(8, 1, giveUp), amount: 1n },
        { ...complete(9, 1, post), creditAccount: BOBS },
        { ...complete(10, 1, post), timeoutSeconds: 1 },
      ]),
    ).toEqual([
      'pending-not-found',
      'pending-not-found',
      'pending-not-found',
      'pending-amount-exceeded',
      'id-zero',
      'fields-not-empty',
      'fields-not-empty',
      'fields-not-empty',
    ]);
    expect(machine.pendingCount).toBe(1);
  });

  test('the request of the reservation keeps its answer after it ended, in whatever way', () => {
    const machine = fundedMachine();
    const reserved = [reserve(1), reserve(2), reserve(3, { timeoutSeconds: 1 })];
    transfer(machine, reserved);
    transfer(machine, [complete(4, 1, post), complete(5, 2, giveUp)]);
    machine.advance(START_MS + 1000);
    const before = [...machine.accounts()];
    expect(transfer(machine, reserved)).toEqual(['ok', 'ok', 'ok']);
    expect([...machine.accounts()]).toEqual(before);
    expect(machine.pendingCount).toBe(0);
  });

  test('the payer posts, the payee gives up, and nobody else does either', () => {
    const machine = fundedMachine();
    const [first, second] = [ownId(ALICE, 1), ownId(ALICE, 2)];
    transfer(machine, [reserve(1, { id: first }), reserve(2, { id: second })], ALICE);
    const end = (signer: Uint8Array, pendingId: bigint, flags: number): string[] =>
      transfer(machine, [{ id: ownId(signer, 3), pendingId, flags }], signer);
    for (const signer of [BOB, MALLORY, STRANGER])
      expect(end(signer, first, post)).toEqual(['not-authorized']);
    for (const signer of [ALICE, MALLORY, STRANGER])
      expect(end(signer, second, giveUp)).toEqual(['not-authorized']);
    expect(end(ALICE, first, post)).toEqual(['ok']);
    expect(end(BOB, second, giveUp)).toEqual(['ok']);
  });

  test('frozen accounts post nothing; giving up and expiring free what they reserved', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1), reserve(2, { timeoutSeconds: 1 }), reserve(3)]);
    machine.setFrozen(ALICES, true);
    expect(transfer(machine, [complete(4, 1, post)])).toEqual(['debit-account-frozen']);
    machine.setFrozen(ALICES, false);
    machine.setFrozen(BOBS, true);
    expect(transfer(machine, [complete(5, 1, post), complete(6, 3, giveUp)])).toEqual([
      'credit-account-frozen',
      'ok',
    ]);
    expect(machine.advance(START_MS + 1000)).toHaveLength(1);
    machine.setFrozen(BOBS, false);
    // The answers that were given stay; a new request gets through.
    expect(transfer(machine, [complete(4, 1, post), complete(7, 1, post)])).toEqual([
      'debit-account-frozen',
      'ok',
    ]);
  });
});

test('what has ended makes room: a thousand in turn take one slot', () => {
  const machine = fundedMachine();
  for (let round = 0; round < 1000; round += 1) {
    const flags = round % 2 === 0 ? post : giveUp;
    transfer(machine, [
      reserve(2 * round + 1, { amount: 1n }),
      { ...complete(2 * round + 2, 0, flags), pendingId: id(2 * round + 1) },
    ]);
    transfer(machine, [reserve(10_000 + round, { amount: 1n, timeoutSeconds: 1 })]);
    expect(machine.outcome.slots[0]).toBe(0);
    machine.advance(machine.timeMs + 1000);
    if (round % 10 === 9)
      transfer(machine, [
        { id: id(20_000 + round), debitAccount: ISSUER, creditAccount: ALICES, amount: 10n },
      ]);
  }
  expect(machine.pendingCount).toBe(0);
});

describe('sums up to 2^63', () => {
  const LARGEST = (1n << 63n) - 1n;
  const issue = (number: number, amount: bigint, flags = 0): Item => ({
    id: id(number),
    debitAccount: 8n,
    creditAccount: 9n,
    amount,
    flags,
  });
  const machineOf = (floor: bigint) => {
    const machine = fundedMachine();
    open(machine, [account({ id: 8n, floor }), account({ id: 9n })]);
    return machine;
  };

  test.each([
    [0n, 'amount-zero'],
    [1n, 'ok'],
    [LARGEST, 'ok'],
    [LARGEST + 1n, 'amount-too-large'],
    [(1n << 64n) - 1n, 'amount-too-large'],
  ])('an amount of %d: %s', (amount, result) => {
    const machine = machineOf(-(1n << 63n));
    expect(transfer(machine, [issue(1, amount)])).toEqual([result]);
    expect(machine.account(9n)?.creditsPosted).toBe(result === 'ok' ? amount : 0n);
    machine.assertConservation();
  });

  test('what is reserved always has room to be posted', () => {
    const machine = machineOf(-(1n << 63n));
    const half = 1n << 62n;
    // Two halves are one too many, be they pending or posted.
    expect(transfer(machine, [issue(1, half, pending), issue(2, half), issue(3, half, pending)])).toEqual([
      'ok',
      'balance-too-large',
      'balance-too-large',
    ]);
    expect(transfer(machine, [issue(4, half - 1n), complete(5, 1, post)])).toEqual(['ok', 'ok']);
    expect(machine.account(9n)?.creditsPosted).toBe(LARGEST);
    expect(transfer(machine, [issue(6, 1n)])).toEqual(['balance-too-large']);
    machine.assertConservation();
  });

  test('a floor as deep as it can be counts to the unit', () => {
    const machine = machineOf(1n - (1n << 63n));
    expect(transfer(machine, [issue(1, LARGEST), issue(2, 1n)])).toEqual(['ok', 'insufficient-funds']);
    const back = { id: id(3), debitAccount: 9n, creditAccount: 8n, amount: LARGEST };
    // There are funds again, but what was ever paid has no room for more.
    expect(transfer(machine, [back, issue(4, LARGEST)])).toEqual(['ok', 'balance-too-large']);
    machine.assertConservation();
  });
});

test('a quarter of what can be pending is for the ledger itself, whatever others leave pending', () => {
  const machine = fundedMachine({ maxPending: 7 });
  const numbers = [1, 2, 3, 4, 5, 6, 7];
  const own = numbers.map((number) => reserve(0, { id: ownId(ALICE, number), amount: 1n }));
  expect(transfer(machine, own, ALICE)).toEqual([...Array<string>(6).fill('ok'), 'too-many-pending']);
  expect(transfer(machine, [reserve(1), reserve(2)])).toEqual(['ok', 'too-many-pending']);
});

test('under the first rules nothing of it was', () => {
  const machine = fundedMachine({ maxPending: 4 });
  machine.advance(START_MS, 1);
  const own = [1, 2, 3, 4, 5].map((number) => reserve(number, { amount: 1n }));
  expect(transfer(machine, own, ALICE)).toEqual(['ok', 'ok', 'ok', 'ok', 'too-many-pending']);
});
