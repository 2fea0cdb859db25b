import { canonicalJson, type Json } from '@clawbernetes/kernel';

/** What an order does, such as `escrow-fund`, and its fields; amounts are decimal strings of base units. */
export interface OrderDraft {
  readonly type: string;
  readonly body: { readonly [field: string]: Json | undefined };
}

/** One signature under an order, with what its signer said. */
export interface OrderSignature {
  readonly audience: string;
  readonly nonce: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly signer: string;
  readonly signature: string;
}

export interface SignedOrder extends OrderDraft {
  readonly signatures: readonly OrderSignature[];
}

/** What `ledger.order` takes: the canonical JSON (RFC 8785) of the order. */
export function orderText({ type, body, signatures }: SignedOrder): string {
  return canonicalJson({ type, body, signatures: signatures.map((each) => ({ ...each })) });
}
