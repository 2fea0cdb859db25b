// Shows that a price per time is read and shown exactly, so that whole hours cost what was written; and that
// amounts of a column stand with their points below each other.
import { accrued } from '@clawbernetes/orders';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignedMolt } from '../../src/commands/molt/molt-amount.ts';
import { rateText, readRate } from '../../src/commands/molt/rate.ts';

const HOUR_MS = 3_600_000;

describe('a rate', () => {
  it.each([
    ['1.5/h', '1.5 MOLT/h'],
    ['1/d', '≈ 0.041666666 MOLT/h'],
    ['24/d', '1 MOLT/h'],
    ['0.000000001/s', '0.0000036 MOLT/h'],
    ['1/min', '60 MOLT/h'],
  ])('of %s is %s', (text, shown) => {
    expect(rateText(readRate(text))).toBe(shown);
  });

  it('by the hour makes exactly that for whole hours', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n), fc.integer({ min: 1, max: 100_000 }), (price, hours) => {
        const text = `${price / 10n ** 9n}.${(price % 10n ** 9n).toString().padStart(9, '0')}/h`;
        expect(accrued(readRate(text), hours * HOUR_MS)).toBe(price * BigInt(hours));
      }),
    );
  });

  it.each(['1', '1/y', '/h', '-1/h', '0/h', '1e3/h', '1.0000000001/h', '1/h/h', ''])('is not %j', (text) => {
    expect(() => readRate(text)).toThrow('is not a price');
  });
});

it('amounts of a column stand below each other', () => {
  expect(alignedMolt(['1000000000', '-12500000000', '1', '123000000000'])).toEqual([
    '  1',
    '-12.5',
    '  0.000000001',
    '123',
  ]);
  expect(alignedMolt([])).toEqual([]);
});
