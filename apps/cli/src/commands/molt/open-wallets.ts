import path from 'node:path';
import { WalletFolder } from '@clawbernetes/identity/wallet-folder';
import type { Context } from '../../context.ts';

/** The wallets of this machine: `<home>/wallets`. */
export function openWallets({ clock, random, config }: Context): WalletFolder {
  return new WalletFolder({ clock, random }, { folder: path.join(config.home, 'wallets') });
}
