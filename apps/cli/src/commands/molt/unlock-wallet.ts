import type { UnlockedWallet } from '@clawbernetes/identity/wallet-folder';
import type { Context } from '../../context.ts';
import { openWallets } from './open-wallets.ts';
import { readPassphrase } from './passphrase.ts';
import type { WalletOptions } from './wallet-options.ts';

/**
 * Asks for the passphrase and opens the wallet that the options name; erase its secret after use. What is
 * wrong with the file is said before anybody is asked.
 */
export async function unlockWallet(
  context: Context,
  options: WalletOptions,
): Promise<UnlockedWallet & { readonly passphrase: string }> {
  const wallets = openWallets(context);
  await wallets.read(options.wallet);
  const passphrase = await readPassphrase(context, options, options.wallet);
  return { ...(await wallets.unlock(options.wallet, passphrase)), passphrase };
}
