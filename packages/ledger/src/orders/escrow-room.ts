import { check } from '@clawbernetes/orders';
import { ROOM_RULES } from '../machine/rules.ts';
import type { OrderContext } from './order-context.ts';

/**
 * Refuses when as many escrows as there may be have something in them: only whoever locks funds up takes the
 * room of others. Those that wait for their funds, and those that are over, cost nobody anything; of each
 * kind there are as many again, and then the first makes room for the next.
 */
export function checkEscrowRoom(context: OrderContext): void {
  const { state } = context;
  context.checkRoom(context.isUnder(ROOM_RULES) ? state.liveEscrows : state.escrows.size);
}

/** Refuses to leave next to nothing in an escrow, which would take room until its deadline. */
export function checkRest({ settings }: OrderContext, rest: bigint): void {
  check(rest === 0n || rest >= (settings.minEscrow ?? 0n), 'amount-too-small');
}

/** Another one is over: too many of them make room. */
export function forgetFirstEscrow(context: OrderContext): void {
  const { state } = context;
  const id = context.firstTooMany(state.over['forget-escrow']);
  if (id === undefined) return;
  context.noteForgotten('escrowsMs', id, state.escrows.get(id)?.agreement ?? id);
  state.forgetEscrow(id);
}
