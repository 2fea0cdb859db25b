import { canonicalJson } from '@clawbernetes/kernel';
import { decodeBase64url, parseKeyName, verify } from '@clawbernetes/identity';
import {
  ORDER_DOMAIN,
  RECEIPT_DOMAIN,
  receiptText,
  refusalOf,
  type CosignedReceipt,
  type OrderResultName,
  type OrderSignature,
} from '@clawbernetes/orders';
import { readOrder, type Order } from './order.ts';

/** A signature that is to be verified: `verify(signer, signature, domain, text)` of the identity package. */
export interface RequiredSignature {
  readonly signer: Uint8Array;
  readonly signature: Uint8Array;
  readonly domain: string;
  readonly text: string;
}

/**
 * All signatures that an order rests on. The machine takes them for verified: that is done before, on any
 * thread, and again by an audit.
 */
export function requiredSignatures(order: Order): readonly RequiredSignature[] {
  const ofOrder = order.signatures.map((signature) => ofSigner(order, signature));
  // Narrowing by `type` does not reach `body`.
  const settled = order.type === 'agreement-settle' ? (order as Order<'agreement-settle'>).body.receipts : [];
  return [...ofOrder, ...settled.flatMap(ofReceipt)];
}

/** Whether all signatures of an order hold. */
export function hasValidSignatures(order: Order): boolean {
  return requiredSignatures(order).every(({ signer, signature, domain, text }) =>
    verify(signer, signature, domain, text),
  );
}

/** Why these bytes are no order for a journal, whatever the ledger holds; undefined if they may. */
export function orderFault(bytes: Uint8Array): OrderResultName | undefined {
  try {
    return hasValidSignatures(readOrder(bytes)) ? undefined : 'signature-forged';
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

function ofSigner({ type, written }: Order, { signature, ...said }: OrderSignature): RequiredSignature {
  return {
    signer: parseKeyName(said.signer),
    signature: decodeBase64url(signature),
    domain: ORDER_DOMAIN,
    text: canonicalJson({ body: { type, body: written }, ...said }),
  };
}

function ofReceipt(cosigned: CosignedReceipt): readonly RequiredSignature[] {
  const { receipt, buyerSignature, providerSignature } = cosigned;
  const text = receiptText(receipt);
  const of = (address: string, signature: string): RequiredSignature => ({
    signer: parseKeyName(address),
    signature: decodeBase64url(signature),
    domain: RECEIPT_DOMAIN,
    text,
  });
  return [of(receipt.buyer, buyerSignature), of(receipt.provider, providerSignature)];
}
