import { assert, present } from '@clawbernetes/kernel';
import { check, type OrderBody } from '@clawbernetes/orders';
import { allOf } from './authorization.ts';
import type { Step } from './books.ts';
import { tierOf } from './fees.ts';
import { OWN_SCOPE } from './nonce-memory.ts';
import type { OrderContext, OrderPlan } from './order-context.ts';
import type { OrderState } from './order-state.ts';
import type { Stake } from './records.ts';
import type { AccountName } from './standard-accounts.ts';

const DAY_MS = 86_400_000;
export const UNBONDING_MS = 7 * DAY_MS;
/** Of one owner at once. */
export const MAX_UNBONDINGS = 32;

export function stakeOf(state: OrderState, owner: string): Stake {
  return state.stakes.get(owner) ?? { owner, staked: 0n, unbonding: [], disputes: 0 };
}

export function depositStake(
  context: OrderContext,
  { amount }: OrderBody<'stake-deposit'>,
  owner: string,
): OrderPlan {
  return {
    scope: OWN_SCOPE,
    quorums: [allOf(owner)],
    run: () => {
      const stake = stakeOf(context.state, owner);
      context.book(undefined, [stakeStep('stake-deposit', owner, 'available', 'stake', amount)]);
      keepStake(context.state, { ...stake, staked: stake.staked + amount });
    },
  };
}

/** Counts for the tier no more at once, and can be spent after 7 days. */
export function withdrawStake(
  context: OrderContext,
  { amount }: OrderBody<'stake-withdraw'>,
  owner: string,
): OrderPlan {
  return {
    scope: OWN_SCOPE,
    quorums: [allOf(owner)],
    run: () => {
      const stake = stakeOf(context.state, owner);
      check(amount <= stake.staked, 'stake-insufficient');
      const staked = stake.staked - amount;
      const keepsTier = tierOf(staked).name === tierOf(stake.staked).name;
      check(stake.disputes === 0 || keepsTier, 'stake-in-dispute');
      check(stake.unbonding.length < MAX_UNBONDINGS, 'too-many-unbondings');
      context.book(undefined, [stakeStep('stake-unbond', owner, 'stake', 'unbonding', amount)]);
      const unbonding = [...stake.unbonding, { amount, untilMs: context.timeMs + UNBONDING_MS }];
      keepStake(context.state, { ...stake, staked, unbonding });
    },
  };
}

/** So much more unbonds of an owner's. Parts beyond their number join the last, and are through with it. */
export function unbond({ state, timeMs }: OrderContext, owner: string, amount: bigint): void {
  if (amount === 0n) return;
  const stake = stakeOf(state, owner);
  const isRoom = stake.unbonding.length < MAX_UNBONDINGS;
  const parts = isRoom ? stake.unbonding : stake.unbonding.slice(0, -1);
  const joined = isRoom ? 0n : (stake.unbonding.at(-1)?.amount ?? 0n);
  const part = { amount: joined + amount, untilMs: timeMs + UNBONDING_MS };
  keepStake(state, { ...stake, unbonding: [...parts, part] });
}

/** The council takes stake of who has broken the rules of the ledger. */
export function slashStake(context: OrderContext, body: OrderBody<'stake-slash'>): OrderPlan {
  const { owner, amount } = body;
  return {
    scope: OWN_SCOPE,
    quorums: [context.settings.council],
    run: () => {
      context.book(undefined, slashSteps(context.state, owner, amount, { kind: 'treasury' }));
      slash(context.state, owner, amount);
    },
  };
}

/** The first of what unbonds is through; while a dispute is open it waits. */
export function returnStake(context: OrderContext, owner: string): void {
  const stake = present(context.state.stakes.get(owner), 'a stake that unbonds');
  const through = stake.unbonding.filter(({ untilMs }) => untilMs <= context.timeMs);
  assert(stake.disputes === 0 && through.length > 0, 'only what is due and undisputed is returned');
  const amount = through.reduce((sum, unbonding) => sum + unbonding.amount, 0n);
  context.book(undefined, [stakeStep('stake-return', owner, 'unbonding', 'available', amount)]);
  keepStake(context.state, { ...stake, unbonding: stake.unbonding.slice(through.length) });
}

/** A dispute about a job of the owner has begun (1) or ended (−1). */
export function countDispute(state: OrderState, owner: string, by: 1 | -1): void {
  const stake = stakeOf(state, owner);
  keepStake(state, { ...stake, disputes: stake.disputes + by });
}

/** Takes what is staked first, then what unbonds. Refuses more than both with `slash-exceeds-limit`. */
export function slashSteps(
  state: OrderState,
  owner: string,
  amount: bigint,
  to: AccountName,
): readonly Step[] {
  const { staked, unbonding } = stakeOf(state, owner);
  const ofStake = amount < staked ? amount : staked;
  const most = unbonding.reduce((sum, part) => sum + part.amount, staked);
  check(amount <= most, 'slash-exceeds-limit');
  const from = (kind: 'stake' | 'unbonding'): AccountName => ({ kind, owner });
  return [
    { do: 'move', from: from('stake'), to, amount: ofStake, kind: 'stake-slash' },
    { do: 'move', from: from('unbonding'), to, amount: amount - ofStake, kind: 'stake-slash' },
  ];
}

/** What `slashSteps` took is no longer at stake; of what unbonds the last is taken first. */
export function slash(state: OrderState, owner: string, amount: bigint): void {
  if (amount === 0n) return;
  const stake = stakeOf(state, owner);
  const ofStake = amount < stake.staked ? amount : stake.staked;
  let left = amount - ofStake;
  const unbonding = stake.unbonding.toReversed().flatMap((part) => {
    const taken = left < part.amount ? left : part.amount;
    left -= taken;
    return taken === part.amount ? [] : [{ ...part, amount: part.amount - taken }];
  });
  assert(left === 0n, 'no more is slashed than is at stake');
  keepStake(state, { ...stake, staked: stake.staked - ofStake, unbonding: unbonding.toReversed() });
}

function keepStake(state: OrderState, stake: Stake): void {
  const { owner, staked, unbonding, disputes } = stake;
  assert(staked >= 0n && disputes >= 0, 'no stake is negative');
  if (staked === 0n && unbonding.length === 0 && disputes === 0) state.stakes.delete(owner);
  else state.stakes.set(owner, stake);
  const [first] = unbonding;
  if (first && disputes === 0) state.schedule('stake', owner, first.untilMs);
  else state.unschedule('stake', owner);
}

function stakeStep(
  kind: 'stake-deposit' | 'stake-unbond' | 'stake-return',
  owner: string,
  from: AccountName['kind'],
  to: AccountName['kind'],
  amount: bigint,
): Step {
  return { do: 'move', from: { kind: from, owner }, to: { kind: to, owner }, amount, kind };
}
