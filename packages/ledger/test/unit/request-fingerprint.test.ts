// Shows that no two requests pass for one: every field counts, and whoever does not know the key cannot aim.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fingerprintKey, RequestFingerprint } from '../../src/machine/request-fingerprint.ts';
import { HALF, TRANSFER_HALVES } from '../../src/machine/transfer-record.ts';

const halvesArbitrary = fc
  .array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: TRANSFER_HALVES, maxLength: TRANSFER_HALVES })
  .map((words) => Uint32Array.from(words));

function fingerprint(seed: number, halves: Uint32Array, signer = -1): string {
  const taken = new RequestFingerprint(fingerprintKey(seed));
  taken.take(new Uint16Array(halves.buffer), 0, signer);
  return `${taken.first} ${taken.second}`;
}

test('each bit of each field but the id changes both words, and so do signer and key', () => {
  fc.assert(
    fc.property(halvesArbitrary, fc.nat(31), fc.nat(1000), (halves, bit, signer) => {
      const before = fingerprint(1, halves, signer).split(' ');
      const changed: string[][] = [];
      for (let word: number = HALF.debit; word < TRANSFER_HALVES; word += 1) {
        const other = halves.slice();
        other[word] = (other[word] ?? 0) ^ (1 << bit);
        changed.push(fingerprint(1, other, signer).split(' '));
      }
      changed.push(fingerprint(1, halves, signer + 1).split(' '));
      changed.push(fingerprint(1, halves, -2).split(' '));
      changed.push(fingerprint(2, halves, signer).split(' '));
      changed.push(fingerprint(1 + 2 ** 40, halves, signer).split(' '));
      for (const [first, second] of changed) {
        expect(first).not.toBe(before[0]);
        expect(second).not.toBe(before[1]);
      }
    }),
    { numRuns: 200 },
  );
});

test('the id does not count: it is what the fingerprint is kept under', () => {
  fc.assert(
    fc.property(halvesArbitrary, fc.nat(), (halves, other) => {
      const renamed = halves.slice();
      renamed.fill(other, HALF.id, HALF.id + 4);
      expect(fingerprint(1, renamed)).toBe(fingerprint(1, halves));
    }),
  );
});

test('differences that cancel out in multiply-and-shift hashes of any seed do not here', () => {
  fc.assert(
    fc.property(halvesArbitrary, fc.nat(Number.MAX_SAFE_INTEGER), (halves, seed) => {
      for (let word: number = HALF.debit; word + 1 < TRANSFER_HALVES; word += 1) {
        const other = halves.slice();
        other[word] = (other[word] ?? 0) ^ 0x8000_0000;
        other[word + 1] = (other[word + 1] ?? 0) ^ 0x8004_0000;
        expect(fingerprint(seed, other)).not.toBe(fingerprint(seed, halves));
      }
    }),
  );
});

/** The same sums without limit, modulo 2^31 − 1. */
function exactly(seed: number, halves: Uint32Array, signer: number): string {
  const bytes = createHash('shake256', { outputLength: 272 }).update(fingerprintKey(seed)).digest();
  const words = [...new Uint16Array(halves.buffer).subarray(2 * HALF.debit), signer & 0xffff, signer >>> 16];
  const sums = [0, words.length].map((from) =>
    words.reduce((sum, word, index) => {
      const factor = bytes.readUInt32LE(4 * (from + index)) % 0x7fff_ffff;
      return (sum + BigInt(word) * BigInt(factor)) % 0x7fff_ffffn;
    }, 0n),
  );
  return sums.join(' ');
}

test('the sums are exact, those of the largest words too', () => {
  fc.assert(
    fc.property(halvesArbitrary, fc.nat(Number.MAX_SAFE_INTEGER), fc.integer(), (halves, seed, signer) => {
      expect(fingerprint(seed, halves, signer)).toBe(exactly(seed, halves, signer));
    }),
  );
  const largest = new Uint32Array(TRANSFER_HALVES).fill(0xffff_ffff);
  for (let seed = 0; seed < 100; seed += 1)
    expect(fingerprint(seed, largest, -1)).toBe(exactly(seed, largest, -1));
  // Stored under ids: another value would make conflicts of repeats.
  expect(fingerprint(1, largest)).toBe('236047173 22139764');
});
