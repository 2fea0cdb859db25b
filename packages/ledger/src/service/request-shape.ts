import { ledgerError } from '../errors.ts';
import { ITEM_BYTES, itemCount } from '../journal/apply-frame.ts';
import type { Operation } from '../journal/frame.ts';
import { MAX_BATCH_ITEMS } from '../machine/transfer-record.ts';
import { MAX_ORDER_BYTES } from '../orders/order.ts';

/** @throws CodedError `request-invalid` for what is no request. */
export function checkRequestShape(operation: Operation): void {
  const { kind, items, authority } = operation;
  if (kind === 'orders') {
    if (items.length <= MAX_ORDER_BYTES && !authority) return;
    const message = `An operation of orders is one order of at most ${MAX_ORDER_BYTES} bytes, signed within.`;
    throw ledgerError(message, { code: 'request-invalid' });
  }
  const count = itemCount(operation);
  if (Number.isInteger(count) && count > 0 && count <= MAX_BATCH_ITEMS) return;
  const message = `A request has 1 to ${MAX_BATCH_ITEMS} items of ${ITEM_BYTES[kind]} bytes; this one has ${items.length} bytes.`;
  throw ledgerError(message, { code: 'request-invalid' });
}
