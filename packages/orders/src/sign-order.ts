import { signStatement, type KeyPair } from '@clawbernetes/identity';
import type { Json } from '@clawbernetes/kernel';
import type { OrderSignature } from './order-text.ts';

/** Domain of the signatures under orders (see `sign` of the identity package). */
export const ORDER_DOMAIN = 'ledger-order';

/** What somebody says about an order besides the order itself. */
export interface SigningFacts {
  readonly ledger: string;
  readonly nonce: number;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** One more signature for an order of this type and body. @throws CodedError `invalid-statement`. */
export function signOrder(
  key: KeyPair,
  { type, body }: { readonly type: string; readonly body: Json },
  { ledger, nonce, issuedAtMs, expiresAtMs }: SigningFacts,
): OrderSignature {
  const statement = { audience: ledger, nonce: String(nonce), issuedAtMs, expiresAtMs };
  const signed = signStatement(key, ORDER_DOMAIN, { body: { type, body }, ...statement });
  return { ...statement, signer: signed.signer, signature: signed.signature };
}
