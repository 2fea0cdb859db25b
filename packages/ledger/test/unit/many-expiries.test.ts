// Shows that of very many pending transfers some are given up at a time, those of one moment together.
import { TRANSFER_FLAGS } from '@clawbernetes/ledger';
import { expect, test } from 'vitest';
import { ALICES, BOBS, fundedMachine, id, ISSUER, START_MS, transfer } from './machine-fixture.ts';

const { pending, post } = TRANSFER_FLAGS;
const AT_ONCE = 10_000;
const MOST = 5000;

test.each([
  { second: [2, 2], what: 'one more, which is of the same moment' },
  { second: [2], what: 'none of a later moment' },
])('what is left over is free the next time, and cannot be posted before: $what', ({ second }) => {
  const machine = fundedMachine();
  transfer(machine, [{ id: id(99), debitAccount: ISSUER, creditAccount: ALICES, amount: 50_000n }]);
  const times = [...Array<number>(AT_ONCE - 1).fill(1), ...second, 3, 4];
  const left = AT_ONCE - 1 + second.length;
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
  const [third, fourth] = [id(1000 + left), id(1001 + left)];
  expect(machine.advance(START_MS + 3000)).toHaveLength(left);
  expect(machine.pendingCount).toBe(2);
  // Its time has come to the ms, though its turn has not.
  expect(machine.nextExpiryMs).toBe(START_MS + 3000);
  const complete = (number: number, pendingId: bigint) => ({ id: id(number), pendingId, flags: post });
  expect(transfer(machine, [complete(1, third), complete(2, fourth)])).toEqual(['pending-expired', 'ok']);
  machine.assertConservation();
  expect(machine.advance(START_MS + 3000).map((expiry) => expiry.id)).toEqual([third]);
});
