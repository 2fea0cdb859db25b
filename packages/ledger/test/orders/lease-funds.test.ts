// Shows how the funds of a lease run low, are used up, and are topped up within what the buyer signed.
import { MOLT, RATE_SCALE } from '@clawbernetes/kernel';
import { accrued, affordableMs, fundsStateAt, nextChangeMs, owedAt } from '@clawbernetes/orders';
import { expect, test } from 'vitest';
import { molt, OrderWorld } from './order-world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** 100 MOLT in 100 hours. */
const PER_HOUR = ((MOLT * RATE_SCALE) / 3600n).toString();

function world(): OrderWorld {
  const made = new OrderWorld();
  made.fundParties();
  return made;
}

function escrowOf(at: OrderWorld, agreement: string): string {
  return at.orders.agreement(agreement)?.escrow ?? '';
}

test('funds degrade from active over low and grace to frozen and closed, at exact times', () => {
  const at = world();
  const agreement = at.leased({ rate: PER_HOUR });
  const state = (): string => {
    const found = at.orders.agreement(agreement);
    const total = at.orders.escrow(escrowOf(at, agreement))?.funded ?? 0n;
    return found ? fundsStateAt(found, total, at.timeMs) : 'gone';
  };
  const found = at.orders.agreement(agreement);
  const end = at.timeMs + affordableMs(BigInt(PER_HOUR), 100n * MOLT);
  for (const [time, before, after] of [
    [end - 30 * MINUTE_MS, 'active', 'low'],
    [end - 10 * MINUTE_MS, 'low', 'grace'],
    [end, 'grace', 'frozen'],
    [end + DAY_MS, 'frozen', 'closed'],
  ] as const) {
    expect(found && nextChangeMs(found, 100n * MOLT, time - 1)).toBe(time);
    at.wait(time - 1 - at.timeMs);
    expect(state()).toBe(before);
    at.wait(1);
    expect(state()).toBe(after);
  }
  expect(at.orders.agreement(agreement)?.state).toBe('closing');
  expect(found && fundsStateAt(found, 100n * MOLT, end + DAY_MS)).toBe('closed');
  expect(found && nextChangeMs(found, 100n * MOLT, at.timeMs)).toBe(Infinity);
});

test('what is owed stops while frozen, and goes on after a top-up', () => {
  const at = world();
  const agreement = at.leased({ rate: PER_HOUR });
  const owed = (): bigint => {
    const found = at.orders.agreement(agreement);
    return found ? owedAt(found, at.orders.escrow(found.escrow)?.funded ?? 0n, at.timeMs) : -1n;
  };
  at.wait(50 * HOUR_MS);
  expect(owed()).toBe(accrued(BigInt(PER_HOUR), 50 * HOUR_MS));
  at.wait(60 * HOUR_MS);
  const all = accrued(BigInt(PER_HOUR), affordableMs(BigInt(PER_HOUR), 100n * MOLT));
  expect(owed()).toBe(all);
  expect(at.do('agreement-top-up', { agreement, amount: molt(1) }, ['provider'])).toBe('signer-not-allowed');
  expect(at.do('agreement-top-up', { agreement, amount: molt(1) }, ['buyer'])).toBe('ok');
  at.wait(30 * MINUTE_MS);
  expect(owed()).toBeGreaterThan(100n * MOLT + MOLT / 2n - 1_000_000n);
  expect(owed()).toBeLessThan(100n * MOLT + MOLT / 2n + 1_000_000n);
});

test('funds are topped up as they run low, within the limit that the buyer signed', () => {
  const at = world();
  const agreement = at.leased({ rate: PER_HOUR });
  const body = { agreement, each: molt(10), total: molt(25), untilMs: at.timeMs + 20 * DAY_MS };
  expect(at.do('agreement-auto-top-up', body, ['provider'])).toBe('signer-not-allowed');
  for (const wrong of [{ each: '0' }, { each: molt(26) }, { untilMs: at.timeMs }])
    expect(at.do('agreement-auto-top-up', { ...body, ...wrong }, ['buyer'])).toBe('top-up-limit-invalid');
  expect(at.do('agreement-auto-top-up', body, ['buyer'])).toBe('ok');
  at.wait(99 * HOUR_MS + 30 * MINUTE_MS - 1);
  expect(at.orders.escrow(escrowOf(at, agreement))?.funded).toBe(100n * MOLT);
  at.wait(1);
  expect(at.orders.escrow(escrowOf(at, agreement))?.funded).toBe(110n * MOLT);
  at.wait(30 * HOUR_MS);
  expect(at.orders.escrow(escrowOf(at, agreement))?.funded).toBe(120n * MOLT);
  at.wait(10 * HOUR_MS);
  expect(at.orders.escrow(escrowOf(at, agreement))?.funded).toBe(120n * MOLT);
  expect(at.orders.agreement(agreement)?.topUp?.used).toBe(20n * MOLT);
});

test('funds last longer by the time in which a receipt says that the lease was not active', () => {
  const at = world();
  const agreement = at.leased({ rate: PER_HOUR });
  const lowMs = at.timeMs + 99 * HOUR_MS + 30 * MINUTE_MS;
  at.wait(DAY_MS);
  expect(at.orders.nextDueMs).toBe(lowMs);
  expect(at.settle(at.receipt(agreement, 1, 7 * HOUR_MS))).toBe('ok');
  // The claim matures in between.
  at.wait(DAY_MS);
  expect(at.orders.nextDueMs).toBe(lowMs + 17 * HOUR_MS);
});

test('funds are topped up until the ms to which the buyer allowed it', () => {
  const used = [0, 1].map((later) => {
    const at = world();
    const agreement = at.leased({ rate: PER_HOUR });
    const lowMs = at.timeMs + 99 * HOUR_MS + 30 * MINUTE_MS;
    const limit = { agreement, each: molt(10), total: molt(10), untilMs: lowMs + later };
    expect(at.do('agreement-auto-top-up', limit, ['buyer'])).toBe('ok');
    at.wait(lowMs - at.timeMs);
    return at.orders.agreement(agreement)?.topUp?.used;
  });
  expect(used).toEqual([0n, 10n * MOLT]);
});

test('funds are topped up for a minute at least, so that many small ones do not keep the ledger busy', () => {
  const at = world();
  const agreement = at.leased({ amount: '1' });
  const limit = { agreement, total: molt(1), untilMs: at.timeMs + 20 * DAY_MS };
  const code = (each: string): string => at.do('agreement-auto-top-up', { ...limit, each }, ['buyer']);
  expect(code(String(MINUTE_MS - 1))).toBe('top-up-limit-invalid');
  expect(code(String(MINUTE_MS))).toBe('ok');
  at.wait(HOUR_MS);
  expect(at.orders.agreement(agreement)?.topUp?.used).toBe(2n * BigInt(MINUTE_MS));
  for (let turn = 0; turn < 100; turn += 1) {
    expect(at.orders.nextDueMs - at.timeMs).toBeGreaterThanOrEqual(MINUTE_MS);
    at.wait(at.orders.nextDueMs - at.timeMs);
  }
});

test('funds are not topped up by a buyer who has none, whose account is frozen, or who took it back', () => {
  const at = world();
  const agreement = at.leased({ rate: PER_HOUR, amount: molt(995) });
  const body = { agreement, each: molt(10), total: molt(20), untilMs: at.timeMs + 300 * DAY_MS };
  expect(at.do('agreement-auto-top-up', body, ['buyer'])).toBe('ok');
  at.wait(29 * DAY_MS);
  expect(at.orders.agreement(agreement)?.topUp?.used).toBe(0n);
  expect(at.do('agreement-auto-top-up', { ...body, total: '0' }, ['buyer'])).toBe('ok');
  expect(at.orders.agreement(agreement)?.topUp).toBeUndefined();
  const frozen = world();
  const other = frozen.leased({ rate: PER_HOUR });
  expect(frozen.do('agreement-auto-top-up', { ...body, agreement: other }, ['buyer'])).toBe('ok');
  frozen.freeze('available', 'buyer');
  frozen.wait(100 * HOUR_MS);
  expect(frozen.orders.agreement(other)?.topUp?.used).toBe(0n);
});
