import { keyNames, parseKeyName, type KeyNames } from '@clawbernetes/identity';
import { activeKey, type WalletFacts, type WalletKey } from '@clawbernetes/identity/wallet';
import type { Facts } from '../../output/table.ts';

/** A wallet as it is shown: nothing secret. */
export interface WalletView extends KeyNames {
  readonly wallet: string;
  readonly kind: WalletFacts['kind'];
  readonly path?: string;
  readonly key: number;
  readonly createdAtMs: number;
  readonly retiredKeys: readonly WalletKey[];
  readonly file: string;
}

export function walletView(wallet: string, facts: WalletFacts, file: string): WalletView {
  const { address, index, path } = activeKey(facts);
  return {
    wallet,
    ...keyNames(parseKeyName(address)),
    kind: facts.kind,
    key: index,
    ...(path === undefined ? {} : { path }),
    createdAtMs: facts.createdAtMs,
    retiredKeys: facts.keys.filter(({ retiredAtMs }) => retiredAtMs !== undefined),
    file,
  };
}

export function walletLines(view: WalletView): Facts {
  const { wallet, address, peerId, did, moltDid, kind, key, path, createdAtMs, retiredKeys, file } = view;
  return [
    ['Wallet', wallet],
    ['Address', address],
    ['PeerId', peerId],
    ['DID', `${did}\n${moltDid}`],
    ['Key', kind === 'phrase' ? `${key}, derived at ${path}` : 'imported, without a phrase'],
    ['Retired', retiredKeys.map(({ index, address: old }) => `${index}: ${old}`).join('\n')],
    ['Created', new Date(createdAtMs).toISOString()],
    ['File', file],
  ];
}
