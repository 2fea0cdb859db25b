import { sign, verify, type KeyPair } from '@clawbernetes/identity';
import type { Authority, Operation } from '../journal/frame.ts';
import { orderFault } from '../orders/order-signature.ts';

const DOMAIN = 'ledger-request';

/** What is signed, without its signature. */
export type UnsignedRequest = Pick<Operation, 'kind' | 'items'> &
  Pick<Authority, 'nonce' | 'expiresAtMs'> & {
    /** The ledger that is meant: no other can be made to act on it. */
    readonly ledgerId: string;
  };

/**
 * An operation that its signer asks for: Ed25519 over the ledger, kind, nonce, expiry and the exact items.
 */
export function signRequest(key: KeyPair, request: UnsignedRequest): Operation {
  const { kind, items, nonce, expiresAtMs } = request;
  const signature = sign(key.privateKey, DOMAIN, ...signedParts(request));
  return { kind, items, authority: { signer: key.publicKey, nonce, expiresAtMs, signature } };
}

/** Whether the operation was signed by whom it names, for this ledger. One without authority was not. */
export function isSigned({ kind, items, authority }: Operation, ledgerId: string): boolean {
  // An order carries the signatures of all who have to sign it; what is no order is refused with a code.
  if (kind === 'orders') return authority === undefined && orderFault(items) !== 'signature-forged';
  if (authority === undefined) return false;
  const { signer, nonce, expiresAtMs, signature } = authority;
  return verify(signer, signature, DOMAIN, ...signedParts({ ledgerId, kind, items, nonce, expiresAtMs }));
}

function signedParts(request: UnsignedRequest): readonly (string | Uint8Array)[] {
  const { ledgerId, kind, nonce, expiresAtMs, items } = request;
  return [ledgerId, kind, String(nonce), String(expiresAtMs), items];
}
