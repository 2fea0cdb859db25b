import { check, type OrderBody } from '@clawbernetes/orders';
import { allOf } from './authorization.ts';
import { isPanel } from './escrow-terms.ts';
import { OWN_SCOPE } from './nonce-memory.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import type { Openings } from './records.ts';

const DAY_MS = 86_400_000;

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

/** Costs nothing and keys are cheap, so all of them together are bounded. */
export function openAccount(context: OrderContext, _body: unknown, owner: string): OrderPlan {
  return {
    scope: OWN_SCOPE,
    quorums: [allOf(owner)],
    run: () => {
      const account = { kind: 'available', owner } as const;
      if (context.books.isOpen(account)) return;
      const openings = oneMore(context);
      context.books.open(account);
      context.state.openings = openings;
    },
  };
}

/** Openings of the day, with one more. Refuses one too many. */
function oneMore({ state, settings, timeMs }: OrderContext): Openings | undefined {
  const { maxDailyOpenings } = settings;
  if (maxDailyOpenings === undefined) return undefined;
  const { openings } = state;
  const isOver = openings === undefined || timeMs >= openings.sinceMs + DAY_MS;
  const today = isOver ? { sinceMs: timeMs, count: 0 } : openings;
  check(today.count < maxDailyOpenings, 'too-many-openings');
  return { ...today, count: today.count + 1 };
}
