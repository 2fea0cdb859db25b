import { parseKeyName } from '@clawbernetes/identity';
import type { Call } from '../../declare/declaration.ts';
import { renderFacts } from '../../output/table.ts';
import { openWallets } from './open-wallets.ts';
import { walletLines, walletView } from './wallet-view.ts';

interface ShowOptions {
  readonly wallet: string;
  readonly didDocument?: boolean;
}

export async function showWallet({ context, options }: Call): Promise<void> {
  const { wallet, didDocument: wantsDocument } = options as ShowOptions;
  const wallets = openWallets(context);
  const view = walletView(wallet, await wallets.read(wallet), wallets.fileOf(wallet));
  if (!wantsDocument) return context.print(view, () => renderFacts(walletLines(view)));
  const { didDocument } = await import('@clawbernetes/identity/encryption');
  const document = didDocument(parseKeyName(view.address));
  await context.print(document, () => JSON.stringify(document, undefined, 2));
}
