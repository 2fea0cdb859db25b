import { allOf } from './authorization.ts';
import { isPanel } from './escrow-terms.ts';
import { OWN_SCOPE } from './nonce-memory.ts';
import type { OrderBody } from './order-bodies.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import { check } from './order-result.ts';

/** Whoever has lost a key is replaced; escrows without arbiters of their own go to the new council. */
export function changePanel(context: OrderContext, { role, panel }: OrderBody<'ledger-panel'>): OrderPlan {
  const { state, settings } = context;
  return {
    scope: OWN_SCOPE,
    quorums: [settings.council],
    run: () => {
      check(isPanel(panel), 'order-malformed');
      state.settings = { ...settings, [role]: panel };
    },
  };
}

export function openAccount(context: OrderContext, _body: unknown, owner: string): OrderPlan {
  return {
    scope: OWN_SCOPE,
    quorums: [allOf(owner)],
    run: () => context.books.open({ kind: 'available', owner }),
  };
}
