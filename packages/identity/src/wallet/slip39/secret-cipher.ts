import { pbkdf2Sha256 } from '#crypto';

/** Of all four rounds together, before the exponent doubles it. */
const BASE_ITERATIONS = 10_000;
const ROUNDS = [0, 1, 2, 3] as const;

export interface CipherOptions {
  readonly passphrase: string;
  /** 15 bits that all shares of a set have in common. */
  readonly identifier: number;
  readonly extendable: boolean;
  /** The work doubles with each step, 0 to 15. */
  readonly iterationExponent: number;
}

/** The master secret under a passphrase: a four-round Feistel network (SLIP-0039). */
export function encryptSecret(secret: Uint8Array, options: CipherOptions): Uint8Array {
  return feistel(secret, ROUNDS, options);
}

/** Every passphrase gives some secret: none is wrong, each opens another wallet. */
export function decryptSecret(encrypted: Uint8Array, options: CipherOptions): Uint8Array {
  return feistel(encrypted, ROUNDS.toReversed(), options);
}

function feistel(input: Uint8Array, rounds: readonly number[], options: CipherOptions): Uint8Array {
  const half = input.length / 2;
  let left = input.slice(0, half);
  let right = input.slice(half);
  for (const round of rounds) {
    const mask = roundKey(round, right, options);
    [left, right] = [right, left.map((byte, index) => byte ^ (mask[index] ?? 0))];
  }
  return Uint8Array.from([...right, ...left]);
}

function roundKey(round: number, half: Uint8Array, options: CipherOptions): Uint8Array {
  const { passphrase, identifier, extendable, iterationExponent } = options;
  const encoder = new TextEncoder();
  const salt = extendable ? [] : [...encoder.encode('shamir'), identifier >> 8, identifier & 0xff];
  return pbkdf2Sha256(
    Uint8Array.from([round, ...encoder.encode(passphrase)]),
    Uint8Array.from([...salt, ...half]),
    (BASE_ITERATIONS << iterationExponent) / ROUNDS.length,
    half.length,
  );
}
