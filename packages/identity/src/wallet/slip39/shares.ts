import { present, systemRandom, type Random } from '@clawbernetes/kernel';
import type { Point } from './field.ts';
import { decryptSecret, encryptSecret, type CipherOptions } from './secret-cipher.ts';
import { decodeShare, encodeShare, invalidShares, type Share } from './share.ts';
import { join, split } from './shamir.ts';

const MAX_SHARES = 16;
/** Most shares that can belong to one secret: 16 groups of 16. */
const MAX_GIVEN = MAX_SHARES * MAX_SHARES;
const PRINTABLE_ASCII = /^[ -~]*$/;

export interface ShareGroup {
  readonly threshold: number;
  readonly count: number;
}

export interface SplitOptions {
  readonly groups: readonly ShareGroup[];
  /** How many groups it takes. */
  readonly groupThreshold?: number;
  /** SLIP-0039's own passphrase, printable ASCII. */
  readonly passphrase?: string;
  /** The work of guessing doubles with each step, 0 to 15. */
  readonly iterationExponent?: number;
  readonly random?: Random;
}

/**
 * Shares of a secret of 16 to 64 bytes (an even number), one list of phrases per group, by SLIP-0039
 * (https://github.com/satoshilabs/slips/blob/master/slip-0039.md), extendable.
 * @throws CodedError `invalid-shares`.
 */
export function splitSecret(
  secret: Uint8Array,
  { groups, groupThreshold = 1, passphrase = '', iterationExponent = 1, random = systemRandom }: SplitOptions,
): readonly (readonly string[])[] {
  requireSplittable(secret, groups, groupThreshold);
  requirePassphrase(passphrase);
  const [high = 0, low = 0] = random.bytes(2);
  const common = {
    identifier: ((high & 0x7f) << 8) | low,
    extendable: true,
    iterationExponent,
    groupThreshold,
    groupCount: groups.length,
  };
  const encrypted = encryptSecret(secret, { ...common, passphrase });
  const parts = split(encrypted, { threshold: groupThreshold, count: groups.length }, random);
  return groups.map((group, groupIndex) =>
    split(present(parts[groupIndex], 'the part of a group'), group, random).map((value, memberIndex) =>
      encodeShare({ ...common, groupIndex, memberIndex, memberThreshold: group.threshold, value }),
    ),
  );
}

/**
 * The secret of these shares. More than necessary may be given if they all fit.
 * @throws CodedError `invalid-shares`.
 */
export function recoverSecret(phrases: readonly string[], passphrase = ''): Uint8Array {
  requirePassphrase(passphrase);
  const { groups, groupThreshold, ...cipher } = readSet(phrases);
  if (groups.length < groupThreshold) {
    throw invalidShares(`${groupThreshold} groups are needed and ${groups.length} are given`);
  }
  return decryptSecret(joined(groups.map(groupSecret), groupThreshold), { ...cipher, passphrase });
}

/**
 * At least how many more shares are needed besides these, for asking people for them; 0 if these are enough.
 * @throws CodedError `invalid-shares` where they do not fit together.
 */
export function sharesMissing(phrases: readonly string[]): number {
  const { groups, groupThreshold } = readSet(phrases);
  const missing = groups.map((members) => Math.max(0, thresholdOf(members) - members.length));
  const started = missing.toSorted((left, right) => left - right).slice(0, groupThreshold);
  const unseen = groupThreshold - started.length;
  return started.reduce((sum, count) => sum + count, unseen);
}

interface ShareSet extends Omit<CipherOptions, 'passphrase'> {
  /** Shares by group, each group's distinct and of one threshold. */
  readonly groups: readonly (readonly Share[])[];
  readonly groupThreshold: number;
}

function readSet(phrases: readonly string[]): ShareSet {
  if (phrases.length > MAX_GIVEN) throw invalidShares(`there are more than ${MAX_GIVEN}`);
  const shares = phrases.map(decodeShare);
  const [first] = shares;
  if (!first) throw invalidShares('there are none');
  requireOneSet(shares, first);
  const groups = [...Map.groupBy(shares, ({ groupIndex }) => groupIndex).values()];
  groups.forEach(requireOneGroup);
  return { ...first, groups };
}

function requireOneGroup(members: readonly Share[]): void {
  const threshold = thresholdOf(members);
  if (members.some(({ memberThreshold }) => memberThreshold !== threshold)) {
    throw invalidShares('shares of one group differ in how many are needed');
  }
  const distinct = new Set(members.map(({ memberIndex }) => memberIndex));
  if (distinct.size < members.length) throw invalidShares('a share is given twice');
}

function thresholdOf([first]: readonly Share[]): number {
  return present(first, 'a share of the group').memberThreshold;
}

function groupSecret(members: readonly Share[]): Point {
  const threshold = thresholdOf(members);
  if (members.length < threshold) {
    throw invalidShares(`${threshold} shares of a group are needed and ${members.length} are given`);
  }
  const points = members.map(({ memberIndex, value }) => ({ x: memberIndex, y: value }));
  return { x: members[0]?.groupIndex ?? 0, y: joined(points, threshold) };
}

function joined(points: readonly Point[], threshold: number): Uint8Array {
  const secret = join(points, threshold);
  if (secret) return secret;
  throw invalidShares('they do not belong together');
}

const COMMON = ['identifier', 'extendable', 'iterationExponent', 'groupThreshold', 'groupCount'] as const;

function requireOneSet(shares: readonly Share[], first: Share): void {
  const foreign = shares.some(
    (share) =>
      COMMON.some((name) => share[name] !== first[name]) || share.value.length !== first.value.length,
  );
  if (foreign) throw invalidShares('they are not all of the same set');
  if (first.groupThreshold > first.groupCount) throw invalidShares('more groups are needed than there are');
}

function requireSplittable(secret: Uint8Array, groups: readonly ShareGroup[], groupThreshold: number): void {
  if (secret.length < 16 || secret.length > 64 || secret.length % 2 === 1) {
    throw invalidShares('a secret has 16 to 64 bytes, an even number');
  }
  const possible = ({ threshold, count }: ShareGroup): boolean =>
    Number.isInteger(threshold) &&
    Number.isInteger(count) &&
    threshold >= 1 &&
    count <= MAX_SHARES &&
    // Copies of one share look like shares: where one is enough there is one.
    (threshold === 1 ? count === 1 : threshold <= count);
  const levels = groupThreshold >= 1 && groupThreshold <= groups.length && groups.length <= MAX_SHARES;
  if (!levels || !groups.every(possible)) {
    throw invalidShares('write them as 2-of-3, up to 16, or 1-of-1');
  }
}

function requirePassphrase(passphrase: string): void {
  if (!PRINTABLE_ASCII.test(passphrase)) throw invalidShares('their passphrase must be printable ASCII');
}
