import type { WalletContent } from '@clawbernetes/identity/wallet-folder';
import type { Context } from '../../context.ts';
import { cliError } from '../../errors.ts';
import { openWallets } from './open-wallets.ts';
import { readNewPassphrase } from './passphrase.ts';
import type { WalletOptions } from './wallet-options.ts';
import { walletView, type WalletView } from './wallet-view.ts';

/** Refuses a name that is taken, before anybody is asked for anything. */
export async function requireFreeName(context: Context, wallet: string): Promise<void> {
  const wallets = openWallets(context);
  if (!(await wallets.has(wallet))) return;
  throw cliError(
    'wallet-exists',
    `There is a wallet "${wallet}" already (${wallets.fileOf(wallet)}); it was left as it is. ` +
      'Give the new one another name with --wallet.',
  );
}

/** Asks for a passphrase and writes the wallet under it. */
export async function storeWallet(
  context: Context,
  options: WalletOptions,
  content: WalletContent,
): Promise<WalletView> {
  const { wallet } = options;
  await requireFreeName(context, wallet);
  const passphrase = await readNewPassphrase(context, options, { wallet });
  const wallets = openWallets(context);
  await wallets.create(wallet, content, passphrase);
  return walletView(wallet, content.facts, wallets.fileOf(wallet));
}
