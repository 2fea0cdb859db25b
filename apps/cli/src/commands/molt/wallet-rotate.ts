import {
  eraseSecret,
  withNextKey,
  withoutRetiredKeys,
  type WalletFacts,
} from '@clawbernetes/identity/wallet';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { invalidArguments } from '../../errors.ts';
import { renderFacts } from '../../output/table.ts';
import { openWallets } from './open-wallets.ts';
import { readNewPassphrase } from './passphrase.ts';
import { unlockWallet } from './unlock-wallet.ts';
import type { PassphraseSource, WalletOptions } from './wallet-options.ts';
import { walletLines, walletView } from './wallet-view.ts';

interface RotateOptions extends WalletOptions {
  readonly newPassphrase?: boolean;
  readonly newPassphraseFile?: string;
  readonly newPassphraseFd?: number;
  readonly nextKey?: boolean;
  readonly discardOld?: boolean;
}

export async function rotateWallet({ context, options }: Call): Promise<void> {
  const given = options as RotateOptions;
  const { wallet, discardOld = false, nextKey = false } = given;
  if (!wantsNewPassphrase(given) && !nextKey && !discardOld) {
    throw invalidArguments('Say what to do: --new-passphrase, --next-key or --discard-old.');
  }
  const wallets = openWallets(context);
  const { facts, secret, revision, passphrase } = await unlockWallet(context, given);
  try {
    const next = nextKey ? withNextKey(facts, secret, context.clock.nowMs()) : facts;
    const rotated = discardOld ? withoutRetiredKeys(next) : next;
    const underNew = await newPassphrase(context, given, passphrase);
    const oldFile = await wallets.replace(wallet, { facts: rotated, secret, revision }, underNew);
    const discarded = discardOld ? await wallets.discardOldFiles(wallet) : [];
    await report(context, given, { facts: rotated, oldFile, discarded });
  } finally {
    eraseSecret(secret);
  }
}

function wantsNewPassphrase({
  newPassphrase: ask,
  newPassphraseFile,
  newPassphraseFd,
}: RotateOptions): boolean {
  return ask === true || newPassphraseFile !== undefined || newPassphraseFd !== undefined;
}

async function newPassphrase(context: Context, given: RotateOptions, present: string): Promise<string> {
  if (!wantsNewPassphrase(given)) return present;
  const { wallet, newPassphraseFile, newPassphraseFd } = given;
  const source: PassphraseSource = {
    ...(newPassphraseFile === undefined ? {} : { passphraseFile: newPassphraseFile }),
    ...(newPassphraseFd === undefined ? {} : { passphraseFd: newPassphraseFd }),
  };
  return readNewPassphrase(context, source, { wallet, option: 'new-passphrase' });
}

interface Outcome {
  readonly facts: WalletFacts;
  readonly oldFile: string;
  readonly discarded: readonly string[];
}

async function report(
  context: Context,
  { wallet, discardOld = false }: RotateOptions,
  { facts, oldFile, discarded }: Outcome,
): Promise<void> {
  const view = walletView(wallet, facts, openWallets(context).fileOf(wallet));
  const files = discardOld ? { discarded } : { oldFile };
  await context.print({ ...view, ...files }, () => renderFacts(walletLines(view)));
  if (context.format === 'json') return;
  context.remark(
    discardOld
      ? `Old versions deleted: ${discarded.length}. Copies in backups still open with their passphrases.`
      : `The old version is kept as ${oldFile}, under its old passphrase, until "clawbernetes molt wallet rotate --discard-old".`,
  );
}
