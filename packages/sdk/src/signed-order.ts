import type { KeyPair } from '@clawbernetes/identity';
import { signOrder as signatureUnder } from '@clawbernetes/orders';
import type { OrderDraft, SignedOrder } from './order-text.ts';

export { newNonce, newOrderId } from './new-order-id.ts';

/** A signed order that is not carried out within this is void. */
const VALID_MS = 600_000;

export interface OrderTerms {
  /** The ledger that is meant: no other can be made to act on it. */
  readonly ledgerId: string;
  /** By the clock of the ledger. */
  readonly timeMs: number;
  /** Rises with each order of the signer about the same thing. */
  readonly nonce: number;
  /** Longer where others have to sign, too. */
  readonly validMs?: number;
}

/** The order with one more signature. @throws CodedError `invalid-statement`, `canonical-json`. */
export function signOrder(
  key: KeyPair,
  order: OrderDraft | SignedOrder,
  { ledgerId, timeMs, nonce, validMs = VALID_MS }: OrderTerms,
): SignedOrder {
  const { type, body } = order;
  const facts = { ledger: ledgerId, nonce, issuedAtMs: timeMs, expiresAtMs: timeMs + validMs };
  const before = 'signatures' in order ? order.signatures : [];
  return { type, body, signatures: [...before, signatureUnder(key, { type, body }, facts)] };
}
