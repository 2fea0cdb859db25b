import { addressOf, readKeyName } from '@clawbernetes/identity';
import { activeKey } from '@clawbernetes/identity/wallet';
import type { Context } from '../../context.ts';
import { invalidArguments } from '../../errors.ts';
import { openWallets } from './open-wallets.ts';

/** Of the key that a wallet signs with; needs no passphrase. @throws CodedError as WalletFolder does. */
export async function walletAddress(context: Context, wallet: string): Promise<string> {
  return activeKey(await openWallets(context).read(wallet)).address;
}

/** The address that somebody typed, or the PeerId or DID of the same key. @throws `invalid-arguments`. */
export function readAddress(text: string): string {
  const key = readKeyName(text);
  if (key) return addressOf(key);
  throw invalidArguments(
    `"${text.slice(0, 80)}" is not an address: it is base58, such as "clawbernetes molt wallet show" prints. ` +
      'Copy it whole.',
  );
}

/** Who is asked about: an address if one was typed, else the wallet's owner. */
export function ownerOf(context: Context, wallet: string, address: string | undefined): Promise<string> {
  return address === undefined ? walletAddress(context, wallet) : Promise.resolve(readAddress(address));
}
