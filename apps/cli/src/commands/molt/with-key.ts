import { erase, type KeyPair } from '@clawbernetes/identity';
import { activeKey, eraseSecret, walletKeyPair } from '@clawbernetes/identity/wallet';
import type { Context } from '../../context.ts';
import { unlockWallet } from './unlock-wallet.ts';
import type { WalletOptions } from './wallet-options.ts';

/** Asks for the passphrase; the key is in memory only while `use` runs. */
export async function withKey<T>(
  context: Context,
  options: WalletOptions,
  use: (key: KeyPair) => T,
): Promise<T> {
  const { facts, secret } = await unlockWallet(context, options);
  try {
    const key = walletKeyPair(secret, activeKey(facts));
    try {
      return use(key);
    } finally {
      erase(key.privateKey);
    }
  } finally {
    eraseSecret(secret);
  }
}
