import { check, type OrderBody } from '@clawbernetes/orders';
import { allOf } from './authorization.ts';
import { OWN_SCOPE } from './nonce-memory.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';

const DAY_MS = 86_400_000;

/** Tokens for trying things out: only on development networks, and so labelled in their movement. */
export function drawFromFaucet(
  context: OrderContext,
  { amount }: OrderBody<'faucet'>,
  owner: string,
): OrderPlan {
  return {
    scope: OWN_SCOPE,
    quorums: [allOf(owner)],
    run: () => {
      const { state, settings, timeMs } = context;
      check(settings.network === 'development', 'faucet-closed');
      const before = state.faucet.get(owner) ?? { owner, sinceMs: timeMs, amount: 0n };
      const drawn = before.amount + amount;
      check(drawn <= settings.faucetAmount, 'faucet-exhausted');
      if (!state.faucet.has(owner)) context.checkRoom(state.faucet.size);
      const to = { kind: 'available', owner } as const;
      context.book(undefined, [{ do: 'move', from: { kind: 'external' }, to, amount, kind: 'faucet' }]);
      state.faucet.set(owner, { ...before, amount: drawn });
      state.schedule('faucet', owner, before.sinceMs + DAY_MS);
    },
  };
}
