export { readEnvelope, type OrderEnvelope } from './order-envelope.ts';
export { orderText, type OrderSignature, type WrittenOrder } from './order-text.ts';
export {
  ORDER_BODIES,
  readReceipt,
  type CosignedReceipt,
  type OrderBody,
  type OrderType,
  type Panel,
  type Receipt,
  type ReleaseKind,
} from './order-bodies.ts';
export {
  check,
  ORDER_RESULTS,
  orderResultName,
  refusalOf,
  refuse,
  type OrderResultName,
} from './order-result.ts';
export { ORDER_DOMAIN, signOrder, type SigningFacts } from './sign-order.ts';
export { isReceiptSignedBy, RECEIPT_DOMAIN, signReceipt } from './sign-receipt.ts';
export { accrued, affordableMs, FIRST_PREV_HASH, receiptHash, receiptText } from './receipt.ts';
export { checkReceipt, type LastReceipt, type ReceiptTerms } from './check-receipt.ts';
export {
  exhaustedAtMs,
  FROZEN_KEPT_MS,
  fundsStateAt,
  LOW_MS,
  nextChangeMs,
  owedAt,
  supposedActiveMs,
  type FundsState,
  type Metered,
} from './low-funds.ts';
