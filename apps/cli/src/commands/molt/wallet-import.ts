import { eraseSecret, parseSolanaKey, walletFacts, type WalletSecret } from '@clawbernetes/identity/wallet';
import type { Call } from '../../declare/declaration.ts';
import { renderFacts } from '../../output/table.ts';
import { readSecretText } from './secret-text.ts';
import { requireFreeName, storeWallet } from './store-wallet.ts';
import type { WalletOptions } from './wallet-options.ts';
import { walletLines } from './wallet-view.ts';

export async function importWallet({ context, operands: [file = ''], options }: Call): Promise<void> {
  const given = options as WalletOptions;
  await requireFreeName(context, given.wallet);
  const source = file === '-' ? 'What stdin gave' : file;
  const { privateKey } = parseSolanaKey(await readSecretText(context, file), source);
  const secret: WalletSecret = { kind: 'private-key', privateKey };
  try {
    const unlocked = { secret, facts: walletFacts(secret, context.clock.nowMs()) };
    const view = await storeWallet(context, given, unlocked);
    await context.print(view, () => renderFacts(walletLines(view)));
    if (context.format === 'table' && file !== '-') {
      context.remark(
        `${file} was left as it is and holds the key unencrypted; delete it if nothing else needs it.`,
      );
    }
  } finally {
    eraseSecret(secret);
  }
}
