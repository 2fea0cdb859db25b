import type { Json } from '@clawbernetes/kernel';
import type { OrderSignature } from '@clawbernetes/orders/order-text';

export { orderText } from '@clawbernetes/orders/order-text';
export type { OrderSignature };

/** What an order does, such as `escrow-fund`, and its fields; amounts are decimal strings of base units. */
export interface OrderDraft {
  readonly type: string;
  readonly body: { readonly [field: string]: Json | undefined };
}

export interface SignedOrder extends OrderDraft {
  readonly signatures: readonly OrderSignature[];
}
