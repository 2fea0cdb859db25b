import {
  createEntropy,
  eraseSecret,
  phraseOf,
  splitSecret,
  walletFacts,
  type ShareGroup,
  type WalletSecret,
} from '@clawbernetes/identity/wallet';
import type { Call } from '../../declare/declaration.ts';
import { renderFacts } from '../../output/table.ts';
import { storeWallet } from './store-wallet.ts';
import type { WalletOptions } from './wallet-options.ts';
import { walletLines } from './wallet-view.ts';

interface CreateOptions extends WalletOptions {
  readonly words: 12 | 24;
  readonly shares?: ShareGroup;
}

/** What recovers a wallet; shown once. */
type Backup = { readonly phrase: string } | { readonly shares: readonly string[]; readonly needed: number };

export async function createWallet({ context, options }: Call): Promise<void> {
  const given = options as CreateOptions;
  const { random, clock } = context;
  const secret: WalletSecret = { kind: 'phrase', entropy: createEntropy(given.words, random) };
  try {
    const unlocked = { secret, facts: walletFacts(secret, clock.nowMs()) };
    const view = await storeWallet(context, given, unlocked);
    const backup = backupOf(secret.entropy, given.shares, context.random);
    await context.print(
      { ...view, ...backup },
      () => `${renderFacts(walletLines(view))}\n\n${backupText(backup)}`,
    );
  } finally {
    eraseSecret(secret);
  }
}

function backupOf(
  entropy: Uint8Array,
  group: ShareGroup | undefined,
  random: Call['context']['random'],
): Backup {
  if (!group) return { phrase: phraseOf(entropy) };
  const [shares = []] = splitSecret(entropy, { groups: [group], random });
  return { shares, needed: group.threshold };
}

function backupText(backup: Backup): string {
  if ('phrase' in backup) {
    return [
      'Recovery phrase. Write it down on paper now: it is not shown again, and whoever has it has the wallet.',
      '',
      numbered(backup.phrase),
    ].join('\n');
  }
  const { shares, needed } = backup;
  return [
    `Recovery shares. Any ${needed} of these ${shares.length} give the wallet. Write them down now, each for another`,
    'place or person: they are not shown again.',
    ...shares.flatMap((share, index) => ['', `Share ${index + 1} of ${shares.length}`, numbered(share)]),
  ].join('\n');
}

const WORDS_PER_LINE = 6;

/** Words with their numbers, in columns. */
function numbered(phrase: string): string {
  const words = phrase.split(' ').map((word, index) => `${String(index + 1).padStart(2)} ${word}`);
  const width = Math.max(...words.map(({ length }) => length)) + 2;
  const lines: string[] = [];
  for (let at = 0; at < words.length; at += WORDS_PER_LINE) {
    const line = words.slice(at, at + WORDS_PER_LINE).map((word) => word.padEnd(width));
    lines.push(`  ${line.join('').trimEnd()}`);
  }
  return lines.join('\n');
}
