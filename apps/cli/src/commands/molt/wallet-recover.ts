import { errorMessage } from '@clawbernetes/kernel';
import {
  entropyOf,
  eraseSecret,
  pathlessSolanaKey,
  phraseWords,
  recoverSecret,
  sharesMissing,
  walletFacts,
  type WalletSecret,
} from '@clawbernetes/identity/wallet';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { invalidArguments } from '../../errors.ts';
import { renderFacts } from '../../output/table.ts';
import { askSecret, type Check } from './ask.ts';
import { readSecretText } from './secret-text.ts';
import { requireFreeName, storeWallet } from './store-wallet.ts';
import type { WalletOptions } from './wallet-options.ts';
import { walletLines } from './wallet-view.ts';

interface RecoverOptions extends WalletOptions {
  readonly from?: string;
  readonly pathless?: boolean;
}

/** Lengths of BIP-39 phrases; SLIP-39 shares have others. */
const PHRASE_WORDS: ReadonlySet<number> = new Set([12, 15, 18, 21, 24]);
const PHRASE_BYTES: ReadonlySet<number> = new Set([16, 20, 24, 28, 32]);

export async function recoverWallet({ context, options }: Call): Promise<void> {
  const given = options as RecoverOptions;
  await requireFreeName(context, given.wallet);
  const entropy =
    given.from === undefined
      ? await askBackup(context)
      : readBackup(await readSecretText(context, given.from));
  const secret = secretOf(entropy, given.pathless ?? false);
  try {
    const unlocked = { secret, facts: walletFacts(secret, context.clock.nowMs()) };
    const view = await storeWallet(context, given, unlocked);
    await context.print(view, () => renderFacts(walletLines(view)));
  } finally {
    eraseSecret(secret);
    entropy.fill(0);
  }
}

function secretOf(entropy: Uint8Array, pathless: boolean): WalletSecret {
  if (pathless) return { kind: 'private-key', privateKey: pathlessSolanaKey(entropy).privateKey };
  return { kind: 'phrase', entropy: entropy.slice() };
}

/** A phrase, on however many lines, or shares, one on each line. */
function readBackup(text: string): Uint8Array {
  if (isPhrase(text)) return entropyOf(text);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  // Neither: said in the words of what it resembles more.
  return lines.length === 1 && phraseWords(text).length < 20 ? entropyOf(text) : entropyOfShares(lines);
}

async function askBackup(context: Context): Promise<Uint8Array> {
  const instead = '--from <file>';
  const first = await askSecret(context, 'Recovery phrase, or the first share', {
    check: complaint((text) => (isPhrase(text) ? entropyOf(text) : sharesMissing([text]))),
    instead,
  });
  if (isPhrase(first)) return entropyOf(first);
  const shares = [first];
  for (let missing = sharesMissing(shares); missing > 0; missing = sharesMissing(shares)) {
    const message = `Next share; ${missing === 1 ? 'one more is' : `${missing} more are`} needed`;
    const check = complaint((text) => sharesMissing([...shares, text]));
    shares.push(await askSecret(context, message, { check, instead }));
  }
  return entropyOfShares(shares);
}

function entropyOfShares(shares: readonly string[]): Uint8Array {
  const entropy = recoverSecret(shares);
  if (PHRASE_BYTES.has(entropy.length)) return entropy;
  throw invalidArguments(`These shares hold ${entropy.length} bytes, which is no wallet of Clawbernetes.`);
}

function isPhrase(text: string): boolean {
  return PHRASE_WORDS.has(phraseWords(text).length);
}

function complaint(parse: (text: string) => unknown): Check {
  return (text) => {
    try {
      parse(text);
      return undefined;
    } catch (error) {
      return errorMessage(error);
    }
  };
}
