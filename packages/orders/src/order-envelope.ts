import { isOrderType } from './order-bodies.ts';
import { list, readAddress, readTimeMs, shape, text, type Reader } from './order-fields.ts';
import { refuse } from './order-result.ts';
import type { OrderSignature } from './order-text.ts';

const MAX_SIGNATURES = 40;
const MAX_NONCE_DIGITS = 16;

/** What is said besides the body by whoever signs it. */
const readSignature: Reader<OrderSignature> = shape({
  audience: text(128),
  nonce: text(MAX_NONCE_DIGITS),
  issuedAtMs: readTimeMs,
  expiresAtMs: readTimeMs,
  signer: readAddress,
  signature: text(128),
});

/** Refuses with `order-malformed`, `order-unknown`, `address-malformed`. The body is read by its type. */
export const readEnvelope = shape({
  type: (value) => (isOrderType(value) ? value : refuse('order-unknown')),
  body: (value) => value,
  signatures: list(readSignature, 0, MAX_SIGNATURES),
});
export type OrderEnvelope = ReturnType<typeof readEnvelope>;
