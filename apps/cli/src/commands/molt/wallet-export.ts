import path from 'node:path';
import { erase } from '@clawbernetes/identity';
import { createPrivateFile } from '@clawbernetes/identity/private-file';
import {
  activeKey,
  eraseSecret,
  solanaKeyText,
  walletKeyPair,
  type WalletFacts,
  type WalletKey,
} from '@clawbernetes/identity/wallet';
import type { Call } from '../../declare/declaration.ts';
import { invalidArguments } from '../../errors.ts';
import { unlockWallet } from './unlock-wallet.ts';
import type { WalletOptions } from './wallet-options.ts';

interface ExportOptions extends WalletOptions {
  readonly key?: number;
  readonly printPrivateKey?: boolean;
}

export async function exportWallet({ context, operands: [file], options }: Call): Promise<void> {
  const given = options as ExportOptions;
  const { wallet, printPrivateKey = false } = given;
  if ((file === undefined) !== printPrivateKey) {
    throw invalidArguments(
      'Name one file to write, such as id.json. Only --print-private-key, without a file, shows the key here.',
    );
  }
  const { facts, secret } = await unlockWallet(context, given);
  try {
    const key = chosenKey(facts, given.key);
    const pair = walletKeyPair(secret, key);
    const text = solanaKeyText(pair);
    erase(pair.privateKey);
    if (file === undefined) return void context.terminal.stdout.write(text);
    const target = path.resolve(context.config.cwd, file);
    await createPrivateFile('key-file', target, text, context.random);
    await context.print(
      { wallet, key: key.index, address: key.address, file: target },
      () => `${key.address} written to ${target}, unencrypted: only you can read it. Keep it so.`,
    );
  } finally {
    eraseSecret(secret);
  }
}

function chosenKey(facts: WalletFacts, index: number | undefined): WalletKey {
  if (index === undefined) return activeKey(facts);
  const key = facts.keys.find((each) => each.index === index);
  if (key) return key;
  const known = facts.keys.map((each) => each.index).join(', ');
  throw invalidArguments(`This wallet has no key ${index}; it has ${known}.`);
}
