import { assert, present } from '@clawbernetes/kernel';
import { Arrivals } from './arrivals.ts';
import { DueQueue } from './due-queue.ts';
import { OwnerIndex } from './owner-index.ts';
import { NonceMemory, scopeOf } from './nonce-memory.ts';
import type {
  Agreement,
  Claim,
  Deposit,
  Escrow,
  EscrowState,
  FaucetUse,
  Forgotten,
  Openings,
  Settings,
  Stake,
  Withdrawal,
} from './records.ts';
import { Tally } from './tally.ts';

/** What happens by itself at its time; a key is one of these, a slash, and what it is about. */
export type DueKind =
  'escrow' | 'claim' | 'stake' | 'agreement' | 'forget-escrow' | 'withdrawal' | 'deposit' | 'faucet';

/** All that the order layer knows. Records are replaced, never changed. */
export class OrderState {
  settings: Settings | undefined;
  /** Of the 24 hours at hand, where the settings bound them. */
  openings: Openings | undefined;
  /** Absent: nothing was forgotten early. */
  forgotten: Forgotten | undefined;
  readonly escrows = new Map<string, Escrow>();
  readonly claims = new Map<string, Claim>();
  readonly stakes = new Map<string, Stake>();
  readonly agreements = new Map<string, Agreement>();
  readonly withdrawals = new Map<string, Withdrawal>();
  readonly deposits = new Map<string, Deposit>();
  readonly faucet = new Map<string, FaucetUse>();
  readonly nonces = new NonceMemory();
  readonly due = new DueQueue();
  /** Of what happened by itself, so far. */
  events = 0;
  /** Escrows without funds, in the order of their making. */
  readonly waiting = new Arrivals();
  /** What is over and waits to be forgotten, in the order of its end. */
  readonly over = { 'forget-escrow': new Arrivals(), withdrawal: new Arrivals() } as const;
  /** These, and those above, follow from the escrows, withdrawals and deposits, and what is due. */
  readonly #unfunded = new Tally();
  readonly #expired = new Tally();
  readonly #outbound = new Tally();
  readonly #references = new Tally();
  readonly #escrowsOf = new OwnerIndex();
  readonly #agreementsOf = new OwnerIndex();

  /** Escrows that hold something: funds, payments or a dispute. */
  get liveEscrows(): number {
    return this.escrows.size - this.waiting.size - this.over['forget-escrow'].size;
  }

  /** Withdrawals that have not ended. */
  get liveWithdrawals(): number {
    return this.withdrawals.size - this.over.withdrawal.size;
  }

  /** Escrows of a buyer that are created and not funded. */
  unfunded(buyer: string): number {
    return this.#unfunded.of(buyer);
  }

  /** Escrows of a buyer that were never funded and are remembered. */
  expired(buyer: string): number {
    return this.#expired.of(buyer);
  }

  /** Withdrawals of an owner of which nobody knows yet what became of them. */
  outbound(owner: string): number {
    return this.#outbound.of(owner);
  }

  keepEscrow(escrow: Escrow): void {
    const { funded, paid, refunded, remaining } = escrow;
    assert(
      [paid, refunded, remaining].every((amount) => amount >= 0n),
      'no part of an escrow is negative',
    );
    assert(funded === paid + refunded + remaining, 'an escrow is what was paid, refunded and remains');
    const before = this.escrows.get(escrow.id);
    assert(
      before === undefined || before.state === escrow.state || NEXT[before.state].includes(escrow.state),
      `an escrow goes its way (${before?.state} to ${escrow.state})`,
    );
    if (!before) this.#escrowsOf.add(escrow.id, partiesOf(escrow));
    if (escrow.state !== 'created') this.waiting.delete(escrow.id);
    else if (!before) this.waiting.add(escrow.id);
    this.#count(before, -1);
    this.#count(escrow, 1);
    this.escrows.set(escrow.id, escrow);
  }

  forgetEscrow(id: string): void {
    const escrow = this.escrows.get(id);
    assert(escrow?.endedAtMs !== undefined && escrow.remaining === 0n, 'only what has ended is forgotten');
    assert(escrow.claims.length === 0 && escrow.dispute === undefined, 'nothing of it is open');
    this.unschedule('forget-escrow', id);
    this.#count(escrow, -1);
    this.escrows.delete(id);
    this.#escrowsOf.delete(id, partiesOf(escrow));
    this.nonces.forget(scopeOf('escrow', id));
    if (escrow.agreement !== undefined) {
      this.#agreementsOf.delete(escrow.agreement, new Set([escrow.buyer, escrow.provider]));
      this.agreements.delete(escrow.agreement);
      this.nonces.forget(scopeOf('agreement', escrow.agreement));
    }
  }

  keepAgreement(agreement: Agreement): void {
    const { id, buyer, provider } = agreement;
    if (!this.agreements.has(id)) this.#agreementsOf.add(id, new Set([buyer, provider]));
    this.agreements.set(id, agreement);
  }

  /** In which an owner has a part, the newest first. @param before only those whose ids come before. */
  *escrowsOf(owner: string, before?: string): Generator<Escrow, void, undefined> {
    for (const id of this.#escrowsOf.newest(owner, before))
      yield present(this.escrows.get(id), 'an escrow of its index');
  }

  /** As `escrowsOf`. */
  *agreementsOf(owner: string, before?: string): Generator<Agreement, void, undefined> {
    for (const id of this.#agreementsOf.newest(owner, before))
      yield present(this.agreements.get(id), 'an agreement of its index');
  }

  keepWithdrawal(withdrawal: Withdrawal): void {
    const { id, owner, endedAtMs } = withdrawal;
    const before = this.withdrawals.get(id);
    if (before && before.endedAtMs === undefined) this.#outbound.add(owner, -1);
    if (endedAtMs === undefined) this.#outbound.add(owner, 1);
    this.withdrawals.set(id, withdrawal);
  }

  /** Whether a deposit that is remembered has this reference. */
  isBooked(reference: string): boolean {
    return this.#references.of(reference) > 0;
  }

  keepDeposit(deposit: Deposit): void {
    this.#references.add(deposit.reference, 1);
    this.deposits.set(deposit.id, deposit);
  }

  forgetDeposit(id: string): void {
    const { reference } = present(this.deposits.get(id), 'a deposit that is forgotten');
    this.#references.add(reference, -1);
    this.deposits.delete(id);
    this.nonces.forget(scopeOf('deposit', id));
  }

  schedule(kind: DueKind, id: string, atMs: number): void {
    this.scheduleKey(`${kind}/${id}`, atMs);
  }

  /** @param key as DueKind says. */
  scheduleKey(key: string, atMs: number): void {
    this.due.set(key, atMs);
    const [kind = '', id = ''] = key.split('/');
    if (isOverKind(kind)) this.over[kind].add(id);
  }

  unschedule(kind: DueKind, id: string): void {
    this.due.delete(`${kind}/${id}`);
    if (isOverKind(kind)) this.over[kind].delete(id);
  }

  #count(escrow: Escrow | undefined, by: 1 | -1): void {
    if (escrow?.state === 'created') this.#unfunded.add(escrow.buyer, by);
    if (escrow?.state === 'expired') this.#expired.add(escrow.buyer, by);
  }
}

function isOverKind(kind: string): kind is keyof OrderState['over'] {
  return kind === 'forget-escrow' || kind === 'withdrawal';
}

/** Who has a say in an escrow. */
function partiesOf({ buyer, provider, releaser, arbiters }: Escrow): ReadonlySet<string> {
  return new Set([buyer, provider, ...(releaser === undefined ? [] : [releaser]), ...(arbiters?.keys ?? [])]);
}

/** Where an escrow can go. What was released can be disputed while it is held. */
const NEXT: Readonly<Record<EscrowState, readonly EscrowState[]>> = {
  created: ['funded', 'expired'],
  funded: ['completed', 'released', 'refunded', 'disputed'],
  completed: ['released', 'refunded', 'disputed'],
  disputed: ['resolved', 'released', 'refunded'],
  released: ['disputed'],
  refunded: [],
  resolved: [],
  expired: [],
};
