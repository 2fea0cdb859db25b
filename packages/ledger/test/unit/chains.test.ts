// Shows that a chain is done as a whole or leaves nothing behind, also where its items are about each other.
import { TRANSFER_FLAGS } from '@clawbernetes/ledger';
import { describe, expect, test } from 'vitest';
import {
  ALICES,
  available,
  BOBS,
  fundedMachine,
  id,
  MALLORYS,
  transfer,
  type Item,
} from './machine-fixture.ts';

const { linked, pending, post, void: giveUp } = TRANSFER_FLAGS;

const pay = (number: number, amount: bigint, flags = 0): Item => ({
  id: id(number),
  debitAccount: ALICES,
  creditAccount: BOBS,
  amount,
  flags,
});
const reserve = (number: number, amount: bigint, flags = 0): Item => pay(number, amount, flags | pending);
const complete = (number: number, of: number, flags: number, amount = 0n): Item => ({
  id: id(number),
  pendingId: id(of),
  amount,
  flags,
});
const impossible = (number: number, flags = 0): Item => ({ ...pay(number, 1n, flags), creditAccount: 99n });

describe('inside one chain', () => {
  test('what it reserves can be posted in part, and the rest is free', () => {
    const machine = fundedMachine();
    const chain = [reserve(1, 60n, linked), complete(2, 1, post | linked, 45n), pay(3, 55n)];
    expect(transfer(machine, chain)).toEqual(['ok', 'ok', 'ok']);
    expect([available(machine, ALICES), available(machine, BOBS)]).toEqual([0n, 200n]);
    expect(machine.pendingCount).toBe(0);
  });

  test('a failure undoes reservation and post, and both can be made again', () => {
    const machine = fundedMachine();
    const before = [...machine.accounts()];
    const chain = [reserve(1, 60n, linked), complete(2, 1, post | linked), impossible(3)];
    const failed = ['linked-event-failed', 'linked-event-failed', 'credit-account-not-found'];
    expect(transfer(machine, chain)).toEqual(failed);
    expect([...machine.accounts()]).toEqual(before);
    expect(machine.pendingCount).toBe(0);
    // Again as a chain it fails again; the items that only failed with it are free.
    expect(transfer(machine, chain)).toEqual(failed);
    expect(transfer(machine, [reserve(1, 7n), complete(2, 1, giveUp)])).toEqual(['ok', 'ok']);
  });

  test('a failure brings back what was posted and voided in it, with its time', () => {
    const machine = fundedMachine();
    transfer(machine, [
      { ...reserve(1, 10n), timeoutSeconds: 5 },
      { ...reserve(2, 20n), timeoutSeconds: 3 },
    ]);
    const before = [...machine.accounts()];
    const chain = [
      complete(3, 1, post | linked, 4n),
      complete(4, 2, giveUp | linked),
      reserve(5, 30n, linked),
      impossible(6),
    ];
    expect(transfer(machine, chain).at(-1)).toBe('credit-account-not-found');
    expect([...machine.accounts()]).toEqual(before);
    machine.assertConservation();
    expect(machine.advance(machine.timeMs + 3000).map((expiry) => expiry.id)).toEqual([id(2)]);
    // What came back can end once more.
    expect(transfer(machine, [complete(7, 1, post)])).toEqual(['ok']);
    expect(machine.advance(machine.timeMs + 60_000)).toEqual([]);
    machine.assertConservation();
  });

  test('slots that a failed chain gave back serve others at once', () => {
    const machine = fundedMachine({ maxPending: 2 });
    const chain = [reserve(1, 1n, linked), reserve(2, 1n, linked), reserve(3, 1n)];
    expect(transfer(machine, [...chain, reserve(4, 2n), reserve(5, 3n), complete(6, 4, post)])).toEqual([
      'linked-event-failed',
      'linked-event-failed',
      'too-many-pending',
      'ok',
      'ok',
      'ok',
    ]);
    expect(machine.account(BOBS)).toMatchObject({ creditsPosted: 102n, creditsPending: 3n });
    machine.assertConservation();
  });

  test('slots of what a chain completed are not taken before it is through', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1, 10n)]);
    const before = [...machine.accounts()];
    const chain = [complete(2, 1, post | linked), reserve(3, 33n, linked), impossible(4)];
    transfer(machine, chain);
    expect([...machine.accounts()]).toEqual(before);
    expect(transfer(machine, [complete(5, 1, post)])).toEqual(['ok']);
    expect(available(machine, BOBS)).toBe(110n);
  });

  test('the same item twice is done once', () => {
    const machine = fundedMachine();
    expect(transfer(machine, [pay(1, 10n, linked), pay(1, 10n, linked), pay(2, 1n)])).toEqual([
      'ok',
      'ok',
      'ok',
    ]);
    expect(available(machine, BOBS)).toBe(111n);
    const again = [pay(3, 10n, linked), pay(3, 10n, linked), impossible(4)];
    expect(transfer(machine, again).at(-1)).toBe('credit-account-not-found');
    expect(available(machine, BOBS)).toBe(111n);
  });

  test('an id for two things breaks it, and is free again', () => {
    const machine = fundedMachine();
    expect(transfer(machine, [pay(1, 10n, linked), pay(1, 11n)])).toEqual([
      'linked-event-failed',
      'id-conflict',
    ]);
    expect(transfer(machine, [pay(1, 11n)])).toEqual(['ok']);
    expect(available(machine, BOBS)).toBe(111n);
  });

  test('the second end of a pending transfer breaks it, and the transfer waits on', () => {
    const machine = fundedMachine();
    transfer(machine, [reserve(1, 10n)]);
    expect(transfer(machine, [complete(2, 1, post | linked), complete(3, 1, giveUp)])).toEqual([
      'linked-event-failed',
      'pending-already-posted',
    ]);
    expect(machine.pendingCount).toBe(1);
    expect(transfer(machine, [complete(4, 1, giveUp)])).toEqual(['ok']);
  });
});

describe('a chain whose next item is missing', () => {
  test('is not done, and says so at its end', () => {
    const machine = fundedMachine();
    expect(transfer(machine, [pay(1, 1n), pay(2, 2n, linked), pay(3, 3n, linked)])).toEqual([
      'ok',
      'linked-event-failed',
      'linked-event-chain-open',
    ]);
    expect(available(machine, BOBS)).toBe(101n);
    expect(transfer(machine, [pay(2, 2n, linked), pay(3, 3n)])).toEqual(['ok', 'ok']);
  });

  test('still says which item failed', () => {
    const machine = fundedMachine();
    const chain = [pay(1, 1n, linked), impossible(2, linked), pay(3, 1n, linked), pay(4, 1n, linked)];
    expect(transfer(machine, chain)).toEqual([
      'linked-event-failed',
      'credit-account-not-found',
      'linked-event-failed',
      'linked-event-chain-open',
    ]);
  });

  test('does not remember of its last item what nobody was told', () => {
    const machine = fundedMachine();
    expect(transfer(machine, [pay(1, 500n, linked)])).toEqual(['linked-event-chain-open']);
    const gift = { id: id(2), debitAccount: 1n, creditAccount: ALICES, amount: 500n };
    expect(transfer(machine, [gift, pay(1, 500n, linked), pay(3, 1n)])).toEqual(['ok', 'ok', 'ok']);
  });

  test('does not reach into the next batch', () => {
    const machine = fundedMachine();
    transfer(machine, [pay(1, 1n, linked)]);
    expect(transfer(machine, [impossible(2), pay(3, 1n)])).toEqual(['credit-account-not-found', 'ok']);
  });
});

test('chains beside each other fail apart', () => {
  const machine = fundedMachine();
  const items = [pay(1, 40n, linked), pay(2, 40n), pay(3, 15n, linked), pay(4, 15n), pay(5, 20n)];
  expect(transfer(machine, items)).toEqual(['ok', 'ok', 'linked-event-failed', 'insufficient-funds', 'ok']);
  expect(available(machine, ALICES)).toBe(0n);
  expect(available(machine, MALLORYS)).toBe(100n);
});
