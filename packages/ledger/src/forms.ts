// What parties write, sign and compute by themselves; runs in browsers.
export { accrued, affordableMs, FIRST_PREV_HASH, receiptHash, receiptText } from './orders/receipt.ts';
export { checkReceipt } from './orders/check-receipt.ts';
export { exhaustedAtMs, fundsStateAt, supposedActiveMs, type FundsState } from './orders/low-funds.ts';
export { readReceipt, type Receipt } from './orders/order-bodies.ts';
export { ORDER_RESULTS, refusalOf, type OrderResultName } from './orders/order-result.ts';
export { signOrder } from './orders/sign-order.ts';
export { isReceiptSignedBy, signReceipt } from './orders/sign-receipt.ts';
