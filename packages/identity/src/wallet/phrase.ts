import { entropyToMnemonic, mnemonicToEntropy, mnemonicToSeedSync } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { systemRandom, type Random } from '@clawbernetes/kernel';
import { identityError } from '../errors.ts';

const WORD_COUNTS: readonly number[] = [12, 15, 18, 21, 24];
const KNOWN = new Set(wordlist);

/** Random bytes for a phrase: 16 give 12 words, 32 give 24. */
export function createEntropy(words: 12 | 24 = 24, random: Random = systemRandom): Uint8Array {
  return random.bytes((words * 4) / 3);
}

/** The English BIP-39 phrase of 16, 20, 24, 28 or 32 bytes. */
export function phraseOf(entropy: Uint8Array): string {
  return entropyToMnemonic(entropy, wordlist);
}

/**
 * The bytes behind a phrase; case and spaces do not matter.
 * @throws CodedError `invalid-phrase`; its message names positions, never words.
 */
export function entropyOf(phrase: string): Uint8Array {
  const words = phraseWords(phrase);
  if (!WORD_COUNTS.includes(words.length)) {
    throw invalidPhrase(`it has ${words.length} words instead of ${WORD_COUNTS.join(', ')}`);
  }
  const unknown = words.flatMap((word, index) => (KNOWN.has(word) ? [] : [index + 1]));
  if (unknown.length > 0) throw invalidPhrase(`not in the English word list: word ${unknown.join(', ')}`);
  try {
    return mnemonicToEntropy(words.join(' '), wordlist);
  } catch {
    throw invalidPhrase('its checksum is wrong: a word is mistaken or in the wrong place');
  }
}

/** The 64-byte seed of BIP-39 for this phrase's bytes, with an empty BIP-39 passphrase. */
export function seedOf(entropy: Uint8Array): Uint8Array {
  return mnemonicToSeedSync(phraseOf(entropy));
}

export function phraseWords(text: string): readonly string[] {
  return text.normalize('NFKD').toLowerCase().split(/\s+/).filter(Boolean);
}

function invalidPhrase(what: string): Error {
  return identityError(
    'invalid-phrase',
    `That is not a BIP-39 phrase: ${what}. Compare it with what you wrote down.`,
  );
}
