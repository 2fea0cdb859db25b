import {
  decodeBase64url,
  encodeBase64url,
  parseKeyName,
  sign,
  verify,
  type KeyPair,
} from '@clawbernetes/identity';
import type { Receipt } from './order-bodies.ts';
import { receiptText } from './receipt.ts';

/** Domain of the signatures under receipts (see `sign` of the identity package). */
export const RECEIPT_DOMAIN = 'ledger-receipt';

/** A party's signature under a receipt, base64url. */
export function signReceipt(key: KeyPair, receipt: Receipt): string {
  return encodeBase64url(sign(key.privateKey, RECEIPT_DOMAIN, receiptText(receipt)));
}

/** Whether the owner of the address has signed exactly this receipt. */
export function isReceiptSignedBy(address: string, signature: string, receipt: Receipt): boolean {
  return verify(parseKeyName(address), decodeBase64url(signature), RECEIPT_DOMAIN, receiptText(receipt));
}
