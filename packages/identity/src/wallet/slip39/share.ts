import { identityError } from '../../errors.ts';
import { CHECKSUM_WORDS, checksumOf, isChecksumRight } from './checksum.ts';
import { WORDS } from './word-list.ts';

/** One share of a secret, as its words say it. */
export interface Share {
  /** 15 bits, the same in all shares of a set. */
  readonly identifier: number;
  readonly extendable: boolean;
  readonly iterationExponent: number;
  readonly groupIndex: number;
  readonly groupThreshold: number;
  readonly groupCount: number;
  readonly memberIndex: number;
  readonly memberThreshold: number;
  readonly value: Uint8Array;
}

const RADIX_BITS = 10;
/** Identifier, flag and exponent in two words, the five numbers in two more. */
const HEADER_WORDS = 4;
const MIN_VALUE_BYTES = 16;
const MAX_VALUE_BYTES = 64;
const INDEX_OF = new Map(WORDS.map((word, index) => [word, index]));

export function encodeShare(share: Share): string {
  const { identifier, extendable, iterationExponent, groupIndex, groupThreshold, groupCount } = share;
  const valueWords = Math.ceil((share.value.length * 8) / RADIX_BITS);
  const prefix = (identifier << 5) | ((extendable ? 1 : 0) << 4) | iterationExponent;
  const numbers = [
    groupIndex,
    groupThreshold - 1,
    groupCount - 1,
    share.memberIndex,
    share.memberThreshold - 1,
  ];
  const words = [
    ...toWords(BigInt(prefix), 2),
    ...toWords(
      numbers.reduce((sum, number) => (sum << 4n) | BigInt(number), 0n),
      2,
    ),
    ...toWords(numberOf(share.value), valueWords),
  ];
  return [...words, ...checksumOf(words, extendable)].map((index) => WORDS[index]).join(' ');
}

/** @throws CodedError `invalid-shares`; its message names positions, never words. */
export function decodeShare(text: string): Share {
  const words = indicesOf(text);
  const valueWords = words.length - HEADER_WORDS - CHECKSUM_WORDS;
  const paddingBits = (valueWords * RADIX_BITS) % 16;
  const valueBytes = (valueWords * RADIX_BITS - paddingBits) / 8;
  if (valueBytes < MIN_VALUE_BYTES || valueBytes > MAX_VALUE_BYTES || paddingBits > 8) {
    throw invalidShares(`a share of ${words.length} words does not exist (20 and 33 are usual)`);
  }
  const prefix = Number(fromWords(words.slice(0, 2)));
  const extendable = ((prefix >> 4) & 1) === 1;
  if (!isChecksumRight(words, extendable)) {
    throw invalidShares('the checksum of a share is wrong: a word is mistaken or in the wrong place');
  }
  const numbers = fromWords(words.slice(2, HEADER_WORDS));
  const number = (position: number): number => Number((numbers >> BigInt(16 - 4 * position)) & 15n);
  const value = fromWords(words.slice(HEADER_WORDS, -CHECKSUM_WORDS));
  if (value >> BigInt(valueBytes * 8) !== 0n) throw invalidShares('the padding of a share is not zero');
  return {
    identifier: prefix >> 5,
    extendable,
    iterationExponent: prefix & 15,
    groupIndex: number(0),
    groupThreshold: number(1) + 1,
    groupCount: number(2) + 1,
    memberIndex: number(3),
    memberThreshold: number(4) + 1,
    value: bytesOf(value, valueBytes),
  };
}

export function invalidShares(what: string): Error {
  return identityError(
    'invalid-shares',
    `The shares give no secret: ${what}. Compare them with what was written down.`,
  );
}

function indicesOf(text: string): readonly number[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const unknown = words.flatMap((word, index) => (INDEX_OF.has(word) ? [] : [index + 1]));
  if (unknown.length > 0) throw invalidShares(`not in the SLIP-39 word list: word ${unknown.join(', ')}`);
  return words.map((word) => INDEX_OF.get(word) ?? 0);
}

function fromWords(words: readonly number[]): bigint {
  return words.reduce((sum, word) => (sum << 10n) | BigInt(word), 0n);
}

function toWords(value: bigint, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) =>
    Number((value >> BigInt(10 * (count - 1 - index))) & 1023n),
  );
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function bytesOf(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) =>
    Number((value >> BigInt(8 * (length - 1 - index))) & 255n),
  );
}
