// Shows that of very many pending transfers some are given up at a time, those of one moment together.
import { TRANSFER_FLAGS } from '@clawbernetes/ledger';
import { expect, test } from 'vitest';
import { ALICES, BOBS, fundedMachine, id, ISSUER, START_MS, transfer } from './machine-fixture.ts';

const { pending, post } = TRANSFER_FLAGS;
const AT_ONCE = 10_000;
const MOST = 5000;

test('what is left over is free the next time, and cannot be posted before', () => {
  const machine = fundedMachine();
  transfer(machine, [{ id: id(99), debitAccount: ISSUER, creditAccount: ALICES, amount: 50_000n }]);
  const times = [...Array<number>(AT_ONCE - 1).fill(1), 2, 2, 3, 4];
  for (let from = 0; from < times.length; from += MOST) {
    const items = times.slice(from, from + MOST).map((timeoutSeconds, index) => ({
      id: id(1000 + from + index),
      debitAccount: ALICES,
      creditAccount: BOBS,
      amount: 1n,
      timeoutSeconds,
      flags: pending,
    }));
    expect(new Set(transfer(machine, items))).toEqual(new Set(['ok']));
  }
  const [third, fourth] = [id(1000 + AT_ONCE + 1), id(1000 + AT_ONCE + 2)];
  expect(machine.advance(START_MS + 3000)).toHaveLength(AT_ONCE + 1);
  expect(machine.pendingCount).toBe(2);
  // Its time has come to the ms, though its turn has not.
  expect(machine.nextExpiryMs).toBe(START_MS + 3000);
  const complete = (number: number, pendingId: bigint) => ({ id: id(number), pendingId, flags: post });
  expect(transfer(machine, [complete(1, third), complete(2, fourth)])).toEqual(['pending-expired', 'ok']);
  machine.assertConservation();
  expect(machine.advance(START_MS + 3000).map((expiry) => expiry.id)).toEqual([third]);
});
