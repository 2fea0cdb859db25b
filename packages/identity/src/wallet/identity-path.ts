import { keyPairOf, type KeyPair } from '../key-pair.ts';
import { deriveKey } from './derivation.ts';

/** Which key of a hierarchy: an organisation's, one of its agents', one of that agent's sessions'. */
export interface IdentityPath {
  readonly org: number;
  readonly agent?: number;
  readonly session?: number;
}

/**
 * `m/44'/501'/<org>'/0'[/<agent>'[/<session>']]`. Purpose 44 (BIP-44) and coin type 501 (Solana, SLIP-0044)
 * with account and change are what Solana wallets use, so the first organisation is the Solana CLI's default
 * address of the same phrase, and every organisation's tokens can be reached with a wallet of others. Agents
 * and sessions lie below: whoever holds the key and chain code of one level can make those below it and none
 * beside or above. A coin type of our own would have hidden the keys from every other wallet.
 */
export function identityPath({ org, agent, session }: IdentityPath): string {
  const steps = [44, 501, org, 0, ...(agent === undefined ? [] : [agent])];
  if (agent !== undefined && session !== undefined) steps.push(session);
  return ['m', ...steps.map((step) => `${step}'`)].join('/');
}

/** @throws CodedError `invalid-path` | `invalid-key`. */
export function deriveIdentity(seed: Uint8Array, path: IdentityPath): KeyPair {
  const { privateKey, chainCode } = deriveKey(seed, identityPath(path));
  chainCode.fill(0);
  return keyPairOf(privateKey);
}
