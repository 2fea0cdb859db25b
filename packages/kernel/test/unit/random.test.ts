// Shows that seeded randomness repeats from its seed and is roughly uniform, and that the system's is not
// constant.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seededRandom, systemRandom } from '@clawbernetes/kernel';

const draw = (seed: number, count: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.fraction());
};

/** Chi-square of `counts` against equal shares. */
const chiSquare = (counts: readonly number[]): number => {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
};

it('repeats from a seed and differs between seeds', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      expect(draw(seed, 20)).toEqual(draw(seed, 20));
      expect(draw(seed, 20)).not.toEqual(draw(seed + 1, 20));
    }),
  );
});

it('draws the same sequence on every machine', () => {
  expect(Buffer.from(seededRandom(1).bytes(16)).toString('hex')).toMatchInlineSnapshot(
    `"d4e5b37a8e5fbeadf36a5998c050ab9a"`,
  );
});

it.each([0, 1, 42, -7, 2 ** 31])('is roughly uniform from seed %s', (seed) => {
  const fractions = draw(seed, 100_000);
  const buckets = Array.from({ length: 100 }, () => 0);
  for (const fraction of fractions) buckets[Math.floor(fraction * 100)]! += 1;
  expect(Math.min(...fractions)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...fractions)).toBeLessThan(1);
  // 99 degrees of freedom: above 161 once in 10,000 runs of a fair generator, and the seeds are fixed.
  expect(chiSquare(buckets)).toBeLessThan(161);
});

it('draws every byte value about equally often', () => {
  const counts = Array.from({ length: 256 }, () => 0);
  for (const byte of seededRandom(3).bytes(100_000)) counts[byte]! += 1;
  // 255 degrees of freedom: above 347 once in 10,000.
  expect(chiSquare(counts)).toBeLessThan(347);
});

it('takes fresh bytes and fractions from the system', () => {
  expect(systemRandom.bytes(16)).toHaveLength(16);
  expect(systemRandom.bytes(16)).not.toEqual(systemRandom.bytes(16));
  expect(systemRandom.fraction()).toBeLessThan(1);
  expect(systemRandom.fraction()).not.toBe(systemRandom.fraction());
});

it.each([1, 7, 8, 9, 5000])('gives out no byte twice, %s at a time', (length) => {
  // Over the edges of several blocks. A repeated run of 8 bytes has odds of 2^-42 by chance.
  const drawn: number[] = [];
  while (drawn.length < 20_000) drawn.push(...systemRandom.bytes(length));
  const runs = new Set<string>();
  for (let at = 0; at + 8 <= drawn.length; at += 8) runs.add(drawn.slice(at, at + 8).join());
  expect(runs.size).toBe(Math.floor(drawn.length / 8));
});

it('hands out short draws with memory of their own', () => {
  const first = systemRandom.bytes(7);
  const copy = Uint8Array.from(first);
  expect(first.buffer.byteLength).toBe(7);
  systemRandom.bytes(7).fill(0);
  expect(first).toEqual(copy);
});
