import { canonicalJson, type Json } from '@clawbernetes/kernel';

/** One signature under an order, with what its signer said. */
export interface OrderSignature {
  /** Id of the ledger that it is meant for. */
  readonly audience: string;
  /** Decimal. Rises with each order of the signer about the same thing. */
  readonly nonce: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** Address of the key. */
  readonly signer: string;
  /** base64url without padding. */
  readonly signature: string;
}

/** An order as it is written, whatever its type. */
export interface WrittenOrder {
  readonly type: string;
  readonly body: Json;
  readonly signatures: readonly OrderSignature[];
}

/** Canonical JSON (RFC 8785), which is what a ledger reads. @throws CodedError `canonical-json`. */
export function orderText({ type, body, signatures }: WrittenOrder): string {
  return canonicalJson({ type, body, signatures: signatures.map((each) => ({ ...each })) });
}
