import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '@clawbernetes/kernel';
import {
  check,
  ORDER_BODIES,
  ORDER_RESULTS,
  orderText,
  readEnvelope,
  refusalOf,
  refuse,
  type OrderBody,
  type OrderSignature,
  type OrderType,
} from '@clawbernetes/orders';

/** Of an order's canonical JSON. */
export const MAX_ORDER_BYTES = 65_536;

export interface Order<Type extends OrderType = OrderType> {
  readonly type: Type;
  readonly body: OrderBody<Type>;
  /** The body as it came, which is what was signed. */
  readonly written: Json;
  readonly signatures: readonly OrderSignature[];
  /** SHA-256 of the bytes, hexadecimal: the same order again has the same. */
  readonly digest: string;
}

export interface OrderDraft {
  readonly type: OrderType;
  readonly body: Json;
  readonly signatures: readonly OrderSignature[];
}

/** The bytes of an order. @throws CodedError `canonical-json`. */
export function encodeOrder(order: OrderDraft): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(orderText(order));
}

/** Refuses with `order-…`, or as its fields are refused. */
export function readOrder(bytes: Uint8Array): Order {
  const written = readCanonical(bytes);
  const { type, body, signatures } = readEnvelope(written);
  const read = ORDER_BODIES[type](body);
  const digest = createHash('sha256').update(bytes).digest('hex');
  // What came out of JSON.parse is JSON.
  return { type, body: read, written: body as Json, signatures, digest };
}

/** The code for bytes that are no order, whatever a ledger holds; undefined for an order. */
export function malformedCode(bytes: Uint8Array): number | undefined {
  try {
    readOrder(bytes);
    return undefined;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return ORDER_RESULTS[refusal].code;
  }
}

function readCanonical(bytes: Uint8Array): Json {
  check(bytes.length <= MAX_ORDER_BYTES, 'order-too-long');
  let written: Json;
  let canonical: string;
  try {
    // What comes out of JSON.parse is JSON; canonicalJson refuses what is too deep.
    written = JSON.parse(Buffer.from(bytes).toString()) as Json;
    canonical = canonicalJson(written);
  } catch {
    return refuse('order-malformed');
  }
  check(Buffer.compare(Buffer.from(canonical), bytes) === 0, 'order-not-canonical');
  return written;
}
