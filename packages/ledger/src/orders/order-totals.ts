import type { Books } from './books.ts';
import type { OrderState } from './order-state.ts';
import type { AccountKind, AccountName } from './standard-accounts.ts';

/** What an account has to hold for what the order layer has promised. */
export interface Promised {
  readonly account: AccountName;
  readonly amount: bigint;
}

/** An account with less than was promised, or more than that. */
export interface Deviation extends Promised {
  readonly found: bigint;
}

/**
 * Accounts whose balance is not what escrows, claims, stakes and withdrawals add up to. Less is a defect.
 * More can be: anybody may pay into any account, and has then lost it.
 */
export function deviations(state: OrderState, books: Pick<Books, 'balance'>): readonly Deviation[] {
  const found = promised(state).map(({ account, amount }) => ({
    account,
    amount,
    found: books.balance(account),
  }));
  return found.filter((deviation) => deviation.found !== deviation.amount);
}

function promised(state: OrderState): readonly Promised[] {
  const sums = new Map<string, Promised>();
  const add = (kind: AccountKind, amount: bigint, owner?: string): void => {
    const key = `${kind} ${owner ?? ''}`;
    const account = owner === undefined ? { kind } : { kind, owner };
    sums.set(key, { account, amount: (sums.get(key)?.amount ?? 0n) + amount });
  };
  for (const { buyer, remaining, pendingId, dispute } of state.escrows.values()) {
    // What is reserved is not counted as held by its account.
    add('locked', pendingId === 0n ? remaining : 0n, buyer);
    add('deposits', dispute?.deposit ?? 0n);
  }
  for (const { provider, gross, fee } of state.claims.values()) {
    add('held', gross - fee, provider);
    add('fees', fee);
  }
  for (const { owner, staked, unbonding } of state.stakes.values()) {
    add('stake', staked, owner);
    for (const { amount } of unbonding) add('unbonding', amount, owner);
  }
  for (const { endedAtMs, amount } of state.withdrawals.values())
    add('outbound', endedAtMs === undefined ? amount : 0n);
  return [...sums.values()];
}
