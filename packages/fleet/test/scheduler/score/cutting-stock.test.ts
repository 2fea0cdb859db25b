// Shows that rests of GPUs are worth what can still be cut from them: by hand, and against all patterns.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PARTS, worthOfRests, type Piece } from '../../../src/scheduler/score/cutting-stock.ts';

const piecesArbitrary = fc.uniqueArray(
  fc.record({ size: fc.integer({ min: 12, max: PARTS }), wanted: fc.integer({ min: 1, max: 50 }) }),
  { minLength: 1, maxLength: 5, selector: ({ size }) => size },
);

/** All ways to cut pieces out of a whole. */
function patterns(pieces: readonly Piece[], rest = PARTS): readonly (readonly number[])[] {
  const [first, ...others] = pieces;
  if (!first) return [[]];
  const most = Math.floor(rest / first.size);
  return Array.from({ length: most + 1 }, (_, count) =>
    patterns(others, rest - count * first.size).map((pattern) => [count, ...pattern]),
  ).flat();
}

describe('the worth of a rest', () => {
  test('is its share of a whole where nothing is known', () => {
    expect(worthOfRests([])[40]).toBeCloseTo(0.4);
  });

  test('is nothing below the smallest piece, and half where half is wanted', () => {
    const worth = worthOfRests([{ size: 50, wanted: 7 }]);
    expect([worth[49], worth[50], worth[99], worth[100]]).toEqual([0, 0.5, 0.5, 1]);
  });

  test('is nothing for a rest that only rare pieces fit, which there are too few of', () => {
    const worth = worthOfRests([
      { size: 81, wanted: 100 },
      { size: 16, wanted: 1 },
    ]);
    expect(worth[19]).toBeCloseTo(0, 3);
    expect(worth[81]).toBeCloseTo(1, 3);
  });

  test('is high for a rest that frequent pieces fit', () => {
    const worth = worthOfRests([
      { size: 81, wanted: 1 },
      { size: 19, wanted: 100 },
    ]);
    expect(worth[19]).toBeCloseTo(0.2, 2);
  });

  test('rises, is one for a whole, and no two rests are worth more apart than together', () => {
    fc.assert(
      fc.property(piecesArbitrary, (pieces) => {
        const worth = worthOfRests(pieces);
        expect(worth[0]).toBe(0);
        expect(worth[PARTS]).toBe(1);
        for (let left = 0; left <= PARTS; left += 1) {
          expect(worth[left] ?? NaN).toBeGreaterThanOrEqual(worth[Math.max(0, left - 1)] ?? NaN);
          for (let right = 0; left + right <= PARTS; right += 7)
            expect((worth[left] ?? 0) + (worth[right] ?? 0)).toBeLessThanOrEqual(
              (worth[left + right] ?? 0) + 1e-6,
            );
        }
      }),
    );
  });

  test('makes no pattern worth more than a whole, and all that is wanted worth what it takes at the least', () => {
    fc.assert(
      fc.property(piecesArbitrary, (pieces) => {
        const worth = worthOfRests(pieces);
        const price = pieces.map(({ size }) => worth[size] ?? 0);
        for (const pattern of patterns(pieces))
          expect(
            pattern.reduce((sum, count, index) => sum + count * (price[index] ?? 0), 0),
          ).toBeLessThanOrEqual(1 + 1e-6);
        const total = pieces.reduce((sum, { wanted }, index) => sum + wanted * (price[index] ?? 0), 0);
        const volume = pieces.reduce((sum, { size, wanted }) => sum + (size * wanted) / PARTS, 0);
        const greedy = pieces.reduce((sum, { size, wanted }) => sum + wanted / Math.floor(PARTS / size), 0);
        // By weak duality no cutting needs less; the volume is a bound below, one kind after the other above.
        expect(total).toBeGreaterThanOrEqual(volume * (1 - 1e-3));
        expect(total).toBeLessThanOrEqual(greedy * (1 + 1e-3) + 1e-3);
      }),
    );
  });
});
