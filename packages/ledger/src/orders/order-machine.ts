import { assert, unreachable } from '@clawbernetes/kernel';
import {
  check,
  ORDER_RESULTS,
  refusalOf,
  refuse,
  type OrderBody,
  type OrderResultName,
  type OrderType,
} from '@clawbernetes/orders';
import type { LedgerMachine } from '../machine/ledger-machine.ts';
import { NEWEST_RULES } from '../machine/rules.ts';
import { closeAgreement, limitTopUps, openAgreement, topUpAgreement, turnAgreement } from './agreements.ts';
import { authorize, noteSignatures } from './authorization.ts';
import { Books } from './books.ts';
import { endDispute, openDispute, resolveDispute } from './disputes.ts';
import { claimsOf, matureClaim } from './earnings.ts';
import { isPanel } from './escrow-terms.ts';
import {
  completeEscrow,
  createEscrow,
  endEscrow,
  fundEscrow,
  refundEscrow,
  releaseEscrow,
} from './escrows.ts';
import { changePanel, openAccount } from './ledger-orders.ts';
import { drawFromFaucet } from './faucet.ts';
import { OrderContext, type OrderPlan } from './order-context.ts';
import { OrderSnapshot, restoreState } from './order-snapshot.ts';
import { deviations, type Deviation } from './order-totals.ts';
import { OrderState, type DueKind } from './order-state.ts';
import { readOrder, type Order } from './order.ts';
import type { Agreement, Claim, Deposit, Escrow, Settings, Stake, Withdrawal } from './records.ts';
import { settleAgreements } from './settlement.ts';
import { depositStake, returnStake, slashStake, stakeOf, withdrawStake } from './stakes.ts';
import {
  bookDeposit,
  dueWithdrawals,
  forgetWithdrawal,
  reportWithdrawal,
  requestWithdrawal,
} from './withdrawals.ts';
import type { AccountName } from './standard-accounts.ts';

export interface OrderResult {
  readonly code: OrderResultName;
}

/** Most that happens by itself in one frame; the rest happens in the next. */
const MAX_EVENTS = 10_000;
/** What cannot happen now, as where an account is frozen, is tried again after this. */
const RETRY_MS = 3_600_000;

type Plans = {
  readonly [Type in OrderType]: (context: OrderContext, body: OrderBody<Type>, signer: string) => OrderPlan;
};

/** `signer` is who signed first: the owner, where an order is about his own account. */
const PLANS: Plans = {
  'ledger-open': () => refuse('ledger-already-open'),
  'ledger-panel': changePanel,
  'account-open': openAccount,
  'escrow-create': createEscrow,
  'escrow-fund': fundEscrow,
  'escrow-complete': completeEscrow,
  'escrow-release': releaseEscrow,
  'escrow-refund': refundEscrow,
  'escrow-dispute': openDispute,
  'escrow-resolve': resolveDispute,
  'stake-deposit': depositStake,
  'stake-withdraw': withdrawStake,
  'stake-slash': slashStake,
  'agreement-open': openAgreement,
  'agreement-settle': settleAgreements,
  'agreement-top-up': topUpAgreement,
  'agreement-auto-top-up': limitTopUps,
  'agreement-close': closeAgreement,
  withdraw: requestWithdrawal,
  'withdrawal-report': reportWithdrawal,
  deposit: bookDeposit,
  faucet: drawFromFaucet,
};

/** Orders about the signer's own account: somebody has to be the owner. */
const OWN: ReadonlySet<OrderType> = new Set([
  'account-open',
  'stake-deposit',
  'stake-withdraw',
  'withdraw',
  'faucet',
]);

/**
 * Escrows, stake, agreements and withdrawals over the accounts of a LedgerMachine: deterministic,
 * synchronous, without clock or I/O. The same orders at the same times give the same state and the same
 * answers. That signatures are genuine is verified before (`requiredSignatures`); who has signed what is
 * checked here.
 */
export class OrderMachine {
  readonly #books: Books;
  readonly #state = new OrderState();
  #timeMs = 0;
  #rules = NEWEST_RULES;

  constructor(machine: LedgerMachine) {
    this.#books = new Books(machine);
  }

  /** As the first order of the ledger has set them. */
  get settings(): Settings | undefined {
    return this.#state.settings;
  }

  /** When something happens by itself next, ms since 1970; Infinity if nothing does. */
  get nextDueMs(): number {
    return this.#state.due.nextMs;
  }

  /**
   * Moves time on, and does what is due by then: the earliest first, of one time by kind and id.
   * @param rules under which all is done until the next time (see rules.ts).
   */
  advance(timeMs: number, rules = NEWEST_RULES): void {
    assert(timeMs >= this.#timeMs, 'the time of a ledger never goes back');
    this.#timeMs = timeMs;
    this.#rules = rules;
    for (let events = 0; events < MAX_EVENTS; events += 1) {
      const key = this.#state.due.take(timeMs);
      if (key === undefined) return;
      this.#happen(key);
    }
  }

  /** An order as it lies in the journal. @returns the code of its result (ORDER_RESULTS). */
  applyBytes(bytes: Uint8Array, timeMs: number): number {
    let order: Order;
    try {
      order = readOrder(bytes);
    } catch (error) {
      return ORDER_RESULTS[refusalOf(error) ?? rethrow(error)].code;
    }
    return ORDER_RESULTS[this.apply(order, timeMs).code].code;
  }

  /** Does an order wholly, or refuses it and changes nothing. */
  apply(order: Order, timeMs: number): OrderResult {
    this.advance(timeMs, this.#rules);
    try {
      this.#apply(order);
      return { code: 'ok' };
    } catch (error) {
      return { code: refusalOf(error) ?? rethrow(error) };
    }
  }

  /** All that it knows now, to be written later. */
  snapshot(): OrderSnapshot {
    return new OrderSnapshot(this.#state, this.#timeMs);
  }

  /** Fills a new machine. @param bytes of a snapshot. */
  restore(bytes: Uint8Array): void {
    assert(this.#timeMs === 0, 'a machine is restored before it is used');
    this.#timeMs = restoreState(this.#state, bytes);
    if (this.#state.settings) this.#books.setAsset(this.#state.settings.asset);
  }

  /** Accounts that do not hold what they should; see `deviations`. */
  deviations(): readonly Deviation[] {
    return deviations(this.#state, this.#books);
  }

  balance(name: AccountName): bigint {
    return this.#books.balance(name);
  }

  escrow(id: string): Escrow | undefined {
    return this.#state.escrows.get(id);
  }

  escrows(): IterableIterator<Escrow> {
    return this.#state.escrows.values();
  }

  /**
   * Escrows in which an owner is buyer, provider, releaser or arbiter, the newest first. Read it at once: it
   * does not survive changes.
   * @param before only those whose ids come before.
   */
  escrowsOf(owner: string, before?: string): IterableIterator<Escrow> {
    return this.#state.escrowsOf(owner, before);
  }

  /** What was paid from an escrow and is still held. */
  claims(escrow: string): readonly Claim[] {
    const found = this.#state.escrows.get(escrow);
    return found ? claimsOf(this.#state, found) : [];
  }

  agreement(id: string): Agreement | undefined {
    return this.#state.agreements.get(id);
  }

  agreements(): IterableIterator<Agreement> {
    return this.#state.agreements.values();
  }

  /** As `escrowsOf`, as buyer or provider. */
  agreementsOf(owner: string, before?: string): IterableIterator<Agreement> {
    return this.#state.agreementsOf(owner, before);
  }

  stake(owner: string): Stake {
    return stakeOf(this.#state, owner);
  }

  stakes(): IterableIterator<Stake> {
    return this.#state.stakes.values();
  }

  withdrawal(id: string): Withdrawal | undefined {
    return this.#state.withdrawals.get(id);
  }

  withdrawals(): IterableIterator<Withdrawal> {
    return this.#state.withdrawals.values();
  }

  /** The first deposit with this reference that is remembered. */
  depositOf(reference: string): Deposit | undefined {
    return this.#state.deposits.values().find((deposit) => deposit.reference === reference);
  }

  /** Withdrawals that are to be sent by now. */
  dueWithdrawals(): readonly Withdrawal[] {
    return dueWithdrawals(this.#state, this.#timeMs);
  }

  #apply(order: Order): void {
    const { settings } = this.#state;
    if (!settings) {
      this.#open(order);
      return;
    }
    const context = this.#context(order.digest);
    const { scope, quorums, run } = planOf(context, order);
    const { nonces } = this.#state;
    const signers = authorize(
      order,
      { scope, quorums },
      { ledger: settings.ledger, timeMs: this.#timeMs, nonces },
    );
    run(signers);
    noteSignatures(order, scope, nonces);
  }

  #context(cause: string): OrderContext {
    const frame = { timeMs: this.#timeMs, rules: this.#rules };
    return new OrderContext(this.#state, this.#books, frame, cause);
  }

  #open(order: Order): void {
    check(order.type === 'ledger-open', 'ledger-not-open');
    // Narrowing by `type` does not reach `body`.
    const settings = order.body as Settings;
    check(order.signatures.length === 0, 'signer-not-allowed');
    check(isPanel(settings.operators) && isPanel(settings.council), 'order-malformed');
    this.#state.settings = settings;
    this.#books.setAsset(settings.asset);
  }

  #happen(key: string): void {
    const at = key.indexOf('/');
    // Keys are made by OrderState.schedule.
    const [kind, id] = [key.slice(0, at) as DueKind, key.slice(at + 1)];
    this.#state.events += 1;
    const context = this.#context(`${key} ${this.#state.events}`);
    try {
      happen(context, kind, id);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      assert(refusal !== 'insufficient-funds', 'what was promised is there');
      this.#state.schedule(kind, id, this.#timeMs + RETRY_MS);
    }
  }
}

function planOf(context: OrderContext, order: Order): OrderPlan {
  const signer = order.signatures[0]?.signer;
  check(signer !== undefined || !OWN.has(order.type), 'signature-missing');
  // The body was read by the reader of its type, which the plan of that type takes.
  const plan = PLANS[order.type] as (context: OrderContext, body: unknown, signer: string) => OrderPlan;
  return plan(context, order.body, signer ?? '');
}

function happen(context: OrderContext, kind: DueKind, id: string): void {
  const { state } = context;
  switch (kind) {
    case 'escrow':
      if (state.escrows.get(id)?.dispute) endDispute(context, id);
      else endEscrow(context, id);
      return;
    case 'claim':
      matureClaim(context, id);
      return;
    case 'stake':
      returnStake(context, id);
      return;
    case 'agreement':
      turnAgreement(context, id);
      return;
    case 'forget-escrow':
      state.forgetEscrow(id);
      return;
    case 'withdrawal':
      forgetWithdrawal(state, id);
      return;
    case 'deposit':
      state.forgetDeposit(id);
      return;
    case 'faucet':
      state.faucet.delete(id);
      return;
    default:
      unreachable(kind);
  }
}

function rethrow(error: unknown): never {
  throw error;
}
