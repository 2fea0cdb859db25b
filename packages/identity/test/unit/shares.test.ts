// Shows that SLIP-39 shares pass every published vector, valid and invalid, and that any sufficient set of
// our own gives the secret back while a smaller or foreign one gives none.
import { hex } from '@scure/base';
import { seededRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recoverSecret, sharesMissing, splitSecret } from '../../src/wallet/index.ts';
import { WORDS } from '../../src/wallet/slip39/word-list.ts';
import { bytes, readVectors, vectorsAbsent } from './vectors.ts';

type Vector = readonly [name: string, shares: readonly string[], secret: string, xprv: string];
const vectors = readVectors<readonly Vector[]>('slip-0039.json', []);
const INVALID = expect.objectContaining({ code: 'invalid-shares' });

describe.skipIf(vectorsAbsent)(`SLIP-0039${vectorsAbsent}`, () => {
  test('there are valid and invalid ones', () => {
    expect(vectors.filter(([, , secret]) => secret !== '')).toHaveLength(15);
    expect(vectors.filter(([, , secret]) => secret === '')).toHaveLength(30);
  });

  test.each(vectors)('%s', (_name, shares, secret) => {
    if (secret === '') expect(() => recoverSecret(shares, 'TREZOR')).toThrow(INVALID);
    else expect(hex.encode(recoverSecret(shares, 'TREZOR'))).toBe(secret);
  });
});

test('the word list has 1,024 words that four letters tell apart', () => {
  expect(WORDS).toHaveLength(1024);
  expect(new Set(WORDS.map((word) => word.slice(0, 4))).size).toBe(1024);
  expect(WORDS.toSorted()).toEqual(WORDS);
});

/** The least work: what is tested is who can recover, not how long guessing takes. */
const iterationExponent = 0;
const group = fc
  .tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 0, max: 4 }))
  .map(([threshold, more]) => ({ threshold, count: threshold + more }));

test('any threshold of shares is enough, surplus ones must fit, and fewer say nothing', () => {
  const secret = fc
    .constantFrom(16, 20, 32, 64)
    .chain((size) => fc.uint8Array({ minLength: size, maxLength: size }));
  fc.assert(
    fc.property(secret, group, fc.nat(), (value, size, seed) => {
      const random = seededRandom(seed);
      const [shares = []] = splitSecret(value, { groups: [size], iterationExponent, random });
      const mixed = shares.toSorted(() => random.fraction() - 0.5);
      expect(recoverSecret(mixed.slice(0, size.threshold))).toEqual(value);
      expect(recoverSecret(mixed)).toEqual(value);
      expect(() => recoverSecret(mixed.slice(0, size.threshold - 1))).toThrow(INVALID);
      const missing = mixed.map((_, given) => sharesMissing(mixed.slice(0, given + 1)));
      expect(missing).toEqual(mixed.map((_, given) => Math.max(0, size.threshold - given - 1)));
    }),
    { numRuns: 20 },
  );
});

test('groups: enough of them, each with enough members', () => {
  const secret = bytes('00112233445566778899aabbccddeeff');
  const options = {
    groups: [
      { threshold: 1, count: 1 },
      { threshold: 2, count: 3 },
      { threshold: 3, count: 5 },
    ],
  };
  const groups = splitSecret(secret, { ...options, groupThreshold: 2, passphrase: 'p', iterationExponent });
  const [[single = ''] = [], pair = [], many = []] = groups;
  expect(recoverSecret([single, ...pair.slice(1)], 'p')).toEqual(secret);
  expect(sharesMissing([single])).toBe(1);
  expect(sharesMissing(pair.slice(0, 1))).toBe(2);
  expect(sharesMissing([single, ...many.slice(0, 1), ...pair.slice(0, 1)])).toBe(1);
  expect(sharesMissing([single, ...pair.slice(1)])).toBe(0);
  expect(recoverSecret([...pair.slice(0, 2), ...many.slice(2)], 'p')).toEqual(secret);
  expect(() => recoverSecret([single], 'p')).toThrow(/2 groups are needed and 1 are given/);
  expect(() => recoverSecret([single, pair[0] ?? ''], 'p')).toThrow(/2 shares of a group are needed/);
  expect(recoverSecret([single, ...pair.slice(1)], 'other')).not.toEqual(secret);
});

test('a share of another set, one given twice and a changed one are refused', () => {
  const split = (seed: number): readonly string[] =>
    splitSecret(new Uint8Array(16).fill(1), {
      groups: [{ threshold: 2, count: 3 }],
      iterationExponent,
      random: seededRandom(seed),
    })[0] ?? [];
  const [one = '', two = '', three = ''] = split(1);
  expect(() => recoverSecret([one, split(2)[1] ?? ''])).toThrow(/not all of the same set/);
  expect(() => recoverSecret([one, one])).toThrow(/given twice/);
  expect(() => sharesMissing([one, one])).toThrow(/given twice/);
  const swapped = two
    .split(' ')
    .with(8, two.split(' ')[8] === 'zero' ? 'academic' : 'zero')
    .join(' ');
  expect(() => recoverSecret([one, swapped, three])).toThrow(/checksum/);
  expect(() => recoverSecret([`${one} clawbernetes`])).toThrow(/word 21/);
  expect(() => recoverSecret([])).toThrow(/there are none/);
});

test.each([
  [{ threshold: 1, count: 2 }, /1-of-1/],
  [{ threshold: 3, count: 2 }, /2-of-3/],
  [{ threshold: 2, count: 17 }, /up to 16/],
  [{ threshold: 0, count: 1 }, /2-of-3/],
])('%j cannot be made', (size, says) => {
  expect(() => splitSecret(new Uint8Array(16), { groups: [size] })).toThrow(says);
});

test('nor shares of a secret of an odd or other length, or with a passphrase beyond ASCII', () => {
  const groups = [{ threshold: 1, count: 1 }];
  for (const length of [0, 14, 17, 66]) {
    expect(() => splitSecret(new Uint8Array(length), { groups })).toThrow(/16 to 64 bytes/);
  }
  expect(() => splitSecret(new Uint8Array(16), { groups, passphrase: 'é' })).toThrow(/ASCII/);
});
