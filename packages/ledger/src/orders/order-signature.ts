import { canonicalJson, type Json } from '@clawbernetes/kernel';
import { parseKeyName, sign, signStatement, verify, type KeyPair } from '@clawbernetes/identity';
import type { CosignedReceipt, Receipt } from './order-bodies.ts';
import { refusalOf, type OrderResultName } from './order-result.ts';
import { readOrder, type Order, type OrderSignature } from './order.ts';
import { receiptText } from './receipt.ts';

/** Domains of what is signed (see `sign` of the identity package). */
export const ORDER_DOMAIN = 'ledger-order';
export const RECEIPT_DOMAIN = 'ledger-receipt';

/** A signature that is to be verified: `verify(signer, signature, domain, text)` of the identity package. */
export interface RequiredSignature {
  readonly signer: Uint8Array;
  readonly signature: Uint8Array;
  readonly domain: string;
  readonly text: string;
}

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

/** A party's signature under a receipt, base64url. */
export function signReceipt(key: KeyPair, receipt: Receipt): string {
  const signature = sign(key.privateKey, RECEIPT_DOMAIN, receiptText(receipt));
  return Buffer.from(signature).toString('base64url');
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
    signature: decoded(signature),
    domain: ORDER_DOMAIN,
    text: canonicalJson({ body: { type, body: written }, ...said }),
  };
}

function ofReceipt(cosigned: CosignedReceipt): readonly RequiredSignature[] {
  const { receipt, buyerSignature, providerSignature } = cosigned;
  const text = receiptText(receipt);
  const of = (address: string, signature: string): RequiredSignature => ({
    signer: parseKeyName(address),
    signature: decoded(signature),
    domain: RECEIPT_DOMAIN,
    text,
  });
  return [of(receipt.buyer, buyerSignature), of(receipt.provider, providerSignature)];
}

/** Empty, which is nobody's signature, for what is no base64url in its one spelling. */
function decoded(signature: string): Uint8Array {
  const bytes = Buffer.from(signature, 'base64url');
  return bytes.toString('base64url') === signature ? bytes : new Uint8Array();
}
