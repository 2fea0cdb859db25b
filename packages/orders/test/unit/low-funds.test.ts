// Shows at which ms the funds of a lease run low and end, and what is owed until then.
import { RATE_SCALE } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exhaustedAtMs,
  fundsStateAt,
  nextChangeMs,
  owedAt,
  supposedActiveMs,
  type FundsState,
  type Metered,
} from '../../src/index.ts';

const MINUTE_MS = 60_000;
/** One base unit a ms; it lasts for two hours. */
const LEASE = { rate: 1000n * RATE_SCALE, originMs: 1000, pausedMs: 500, state: 'open' } satisfies Metered;
const TOTAL = 120n * BigInt(MINUTE_MS);
const END_MS = exhaustedAtMs(LEASE, TOTAL);

describe('funds', () => {
  it('end when they have paid for the time that it was active', () => {
    expect(END_MS).toBe(1000 + 500 + 120 * MINUTE_MS);
  });

  it.each<[FundsState, number]>([
    ['active', -30 * MINUTE_MS - 1],
    ['low', -30 * MINUTE_MS],
    ['low', -10 * MINUTE_MS - 1],
    ['grace', -10 * MINUTE_MS],
    ['grace', -1],
    ['frozen', 0],
    ['frozen', 24 * 60 * MINUTE_MS - 1],
    ['closed', 24 * 60 * MINUTE_MS],
  ])('are %s %i ms from their end', (state, ms) => {
    expect(fundsStateAt(LEASE, TOTAL, END_MS + ms)).toBe(state);
  });

  it('of an agreement that closes are none', () => {
    expect(fundsStateAt({ ...LEASE, state: 'closing' }, TOTAL, 1000)).toBe('closed');
  });

  it('change at the ms that is foretold, and not before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: END_MS + 25 * 60 * MINUTE_MS }), (timeMs) => {
        const state = fundsStateAt(LEASE, TOTAL, timeMs);
        const nextMs = nextChangeMs(LEASE, TOTAL, timeMs);
        expect(nextMs).toBeGreaterThan(timeMs);
        expect(nextMs === Infinity).toBe(state === 'closed');
        if (nextMs === Infinity) return;
        expect(fundsStateAt(LEASE, TOTAL, nextMs - 1)).toBe(state);
        expect(fundsStateAt(LEASE, TOTAL, nextMs)).not.toBe(state);
      }),
    );
  });
});

describe('until a receipt says better', () => {
  it('a lease was active without its pauses, from its origin to the end of its funds', () => {
    const active = [0, 1500, 2500, END_MS, END_MS + 7].map((ms) => supposedActiveMs(LEASE, TOTAL, ms));
    expect(active).toEqual([0, 0, 1000, 120 * MINUTE_MS, 120 * MINUTE_MS]);
  });

  it('it owes what that time costs beyond what was paid, and never more than there is', () => {
    const paid = 400n;
    expect(owedAt({ ...LEASE, paid }, TOTAL, 2500)).toBe(600n);
    expect(owedAt({ ...LEASE, paid }, TOTAL, END_MS * 2)).toBe(TOTAL - paid);
  });
});
