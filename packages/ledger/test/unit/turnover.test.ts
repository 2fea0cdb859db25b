// Shows what becomes of an account at the end of its lifetime turnover: it takes nothing more, and pays out
// all that it has, pending or at once; nothing is lost.
import { NO_FLOOR, TRANSFER_FLAGS } from '@clawbernetes/ledger';
import { expect, it } from 'vitest';
import { account, ALICES, available, BOBS, fundedMachine, id, open, transfer } from './machine-fixture.ts';

const MOST = 2n ** 63n - 1n;
const BANK = 9n;
const { pending, post } = TRANSFER_FLAGS;

it.each([0n, 1n, 2n ** 62n, MOST - 200n])('of an account that has paid %d before', (paidBefore) => {
  const machine = fundedMachine();
  open(machine, [account({ id: BANK, floor: NO_FLOOR })]);
  let ids = 0;
  const move = (debitAccount: bigint, creditAccount: bigint, amount: bigint, flags = 0): string => {
    ids += 1;
    return amount === 0n
      ? 'ok'
      : transfer(machine, [{ id: id(ids), debitAccount, creditAccount, amount, flags }]).join();
  };
  // All that it can take in, beside the 100 that it had.
  expect(move(BANK, ALICES, paidBefore)).toBe('ok');
  expect(move(ALICES, BANK, paidBefore)).toBe('ok');
  expect(move(BANK, ALICES, MOST - 100n - paidBefore)).toBe('ok');
  for (const flags of [0, pending]) expect(move(BOBS, ALICES, 1n, flags)).toBe('balance-too-large');
  const has = MOST - paidBefore;
  expect([available(machine, ALICES), available(machine, BOBS)]).toEqual([has, 100n]);
  const half = has / 2n;
  expect(move(ALICES, BOBS, half, pending)).toBe('ok');
  expect(transfer(machine, [{ id: id(1000), pendingId: id(ids), flags: post }])).toEqual(['ok']);
  expect(move(ALICES, BOBS, has - half - 100n)).toBe('ok');
  expect(move(ALICES, BANK, 101n)).toBe('insufficient-funds');
  expect(move(ALICES, BANK, 100n)).toBe('ok');
  expect(machine.account(ALICES)).toMatchObject({ creditsPosted: MOST, debitsPosted: MOST });
  machine.assertConservation();
});
