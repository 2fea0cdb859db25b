import { addressOf, type KeyPair } from '@clawbernetes/identity';
import { CodedError, type Json } from '@clawbernetes/kernel';
import {
  accrued,
  FIRST_PREV_HASH,
  isReceiptSignedBy,
  readReceipt,
  receiptHash,
  receiptText,
  refusalOf,
  signReceipt,
  type Receipt,
} from '@clawbernetes/orders';
import type { CommandOutput } from '@clawbernetes/protocol';
import type { SignedOrder } from './order-text.ts';

export { affordableMs, receiptHash, type Receipt } from '@clawbernetes/orders';
export { checkLedger, checkProposal, type ProposalFacts } from './check-proposal.ts';

export type AgreementView = CommandOutput<'molt.agreement'>;

/** A receipt on its way: the provider has signed it, the buyer perhaps. */
export interface SignedReceipt {
  readonly receipt: Receipt;
  /** base64url, as the next. */
  readonly providerSignature: string;
  readonly buyerSignature?: string;
}

/** What the provider says was used, from the origin on. */
export type Usage = Pick<Receipt, 'meters' | 'health' | 'logRoot'>;

/** Of a log that nobody keeps. */
export const NO_LOG_ROOT = '0'.repeat(64);
const MAX_SIGNATURE_CHARACTERS = 128;

/** What travels from party to party: plain JSON, amounts as decimal strings. */
export function receiptJson({ receipt, ...signatures }: SignedReceipt): { readonly [name: string]: Json } {
  // What canonicalJson wrote is JSON.
  return { receipt: JSON.parse(receiptText(receipt)) as Json, ...signatures };
}

/** What somebody else has written, read strictly. @throws CodedError `receipt-malformed`. */
export function readSignedReceipt(outside: unknown): SignedReceipt {
  const { receipt, providerSignature, buyerSignature, ...more } = fieldsOf(outside);
  if (Object.keys(more).length > 0) throw malformed(`it has a field "${Object.keys(more)[0]?.slice(0, 40)}"`);
  if (!isSignature(providerSignature)) throw malformed('it lacks the signature of its provider');
  if (buyerSignature !== undefined && !isSignature(buyerSignature))
    throw malformed('the signature of its buyer is no text');
  try {
    const signed = { receipt: readReceipt(receipt), providerSignature };
    return buyerSignature === undefined ? signed : { ...signed, buyerSignature };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    throw malformed(`a field is missing, too many, or wrong (${refusal})`);
  }
}

/**
 * The receipt after `before`, signed by the provider. What is owed follows from the rate and the active time.
 * @param before the newest there is; undefined for the first.
 */
export function proposeReceipt(
  key: KeyPair,
  { ledgerId, agreement, before, timeMs }: ProposalPlace,
  usage: Usage,
): SignedReceipt {
  const receipt: Receipt = {
    ledger: ledgerId,
    agreement: agreement.agreement,
    buyer: agreement.buyer,
    provider: addressOf(key.publicKey),
    n: (before?.n ?? 0) + 1,
    prevHash: before?.hash ?? FIRST_PREV_HASH,
    cumulativeAmount: accrued(BigInt(agreement.rate), usage.meters.activeMs),
    timeMs,
    ...usage,
  };
  return { receipt, providerSignature: signReceipt(key, receipt) };
}

/** Where a receipt has its place. */
export interface ProposalPlace {
  readonly ledgerId: string;
  readonly agreement: AgreementView;
  readonly before: { readonly n: number; readonly hash: string } | undefined;
  /** By the clock of the ledger. */
  readonly timeMs: number;
}

/** The buyer's signature under what `checkProposal` has let pass. */
export function countersignReceipt(
  key: KeyPair,
  { receipt, providerSignature }: SignedReceipt,
): SignedReceipt {
  return { receipt, providerSignature, buyerSignature: signReceipt(key, receipt) };
}

/** Whose signatures hold; `missing` where there is none. */
export function signaturesOf({ receipt, providerSignature, buyerSignature }: SignedReceipt): {
  readonly provider: 'valid' | 'forged';
  readonly buyer: 'valid' | 'forged' | 'missing';
} {
  const verdict = (address: string, signature: string): 'valid' | 'forged' =>
    isReceiptSignedBy(address, signature, receipt) ? 'valid' : 'forged';
  return {
    provider: verdict(receipt.provider, providerSignature),
    buyer: buyerSignature === undefined ? 'missing' : verdict(receipt.buyer, buyerSignature),
  };
}

/**
 * Pays what the receipts add to what was paid; one per agreement, of the same two parties. Nobody signs it:
 * both have signed the receipts, so anybody may bring them, and again.
 */
export function settlementOf(receipts: readonly SignedReceipt[]): SignedOrder {
  return { type: 'agreement-settle', body: { receipts: receipts.map(receiptJson) }, signatures: [] };
}

/** As one that was settled or signed, for whatever comes after. */
export function placeOf(receipt: Receipt): { readonly n: number; readonly hash: string } {
  return { n: receipt.n, hash: receiptHash(receipt) };
}

function fieldsOf(outside: unknown): Readonly<Record<string, unknown>> {
  if (typeof outside !== 'object' || outside === null || Array.isArray(outside))
    throw malformed('it is no object');
  // Any object has unknown fields.
  return outside as Readonly<Record<string, unknown>>;
}

function isSignature(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_SIGNATURE_CHARACTERS;
}

function malformed(why: string): CodedError {
  const message = `This is no receipt: ${why}. Ask for it again, as "receipt propose" or "countersign" wrote it.`;
  return new CodedError(message, { code: 'receipt-malformed' });
}
