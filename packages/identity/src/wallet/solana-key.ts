import { identityError } from '../errors.ts';
import { erase, KEY_BYTES, keyPairOf, type KeyPair } from '../key-pair.ts';
import { seedOf } from './phrase.ts';

/** The Solana CLI's key file: a JSON array of 64 numbers, the private key and then the public one. */
export function solanaKeyText({ privateKey, publicKey }: KeyPair): string {
  return `[${[...privateKey, ...publicKey].join(',')}]\n`;
}

/**
 * The key pair of such a file.
 * @throws CodedError `invalid-key`, also where the halves do not belong together.
 */
export function parseSolanaKey(text: string, source: string): KeyPair {
  const numbers = parseNumbers(text);
  if (numbers?.length !== KEY_BYTES * 2) throw refuse(source, 'is not a JSON array of 64 bytes');
  const pair = keyPairOf(numbers.slice(0, KEY_BYTES));
  const same = pair.publicKey.every((byte, index) => byte === numbers[KEY_BYTES + index]);
  erase(numbers);
  if (!same) throw refuse(source, 'holds two halves that do not belong together');
  return pair;
}

/**
 * The key that "solana-keygen new" makes of a phrase when no derivation path is given: the first half of the
 * BIP-39 seed as it is. Wallets with a path, ours too, reach other keys from the same words.
 */
export function pathlessSolanaKey(entropy: Uint8Array): KeyPair {
  const seed = seedOf(entropy);
  const pair = keyPairOf(seed.slice(0, KEY_BYTES));
  seed.fill(0);
  return pair;
}

function parseNumbers(text: string): Uint8Array | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isByte = (item: unknown): boolean =>
      Number.isInteger(item) && (item as number) >= 0 && (item as number) < 256;
    return Array.isArray(value) && value.every(isByte) ? Uint8Array.from(value as number[]) : undefined;
  } catch {
    return undefined;
  }
}

function refuse(source: string, what: string): Error {
  return identityError(
    'invalid-key',
    `${source} ${what}. Give a key file of the Solana CLI, as "solana-keygen new" writes it.`,
    { path: source },
  );
}
