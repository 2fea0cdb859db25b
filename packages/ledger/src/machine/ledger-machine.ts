import { assert } from '@clawbernetes/kernel';
import {
  ACCOUNT_BYTES,
  ACCOUNT_FLAGS,
  isReserved,
  NO_FLOOR,
  readAccount,
  type Account,
} from './account-record.ts';
import { AccountTable, CREDITS_PENDING, DEBITS_PENDING, NOBODY, type Balance } from './account-table.ts';
import { u32, u64 } from './cells.ts';
import { IdMemory } from './id-memory.ts';
import { idScope } from './id-scope.ts';
import { ID_STATE } from './id-state.ts';
import { PendingTable } from './pending-table.ts';
import { RequestMemory, type SignedRequest } from './request-memory.ts';
import { restoreSnapshot, takeSnapshot, type MachineTables, type Snapshot } from './snapshot.ts';
import { RESULTS } from './result-code.ts';
import { NEWEST_RULES, OWN_IDS_RULES } from './rules.ts';
import { MAX_BATCH_ITEMS } from './transfer-record.ts';
import { LEDGER, STRANGER, TransferMachine } from './transfer-machine.ts';
import type { TransferOutcome } from './transfer-outcome.ts';
import { isZero } from './transfer-shape.ts';

export interface MachineOptions {
  readonly maxAccounts: number;
  readonly maxPending: number;
  /** Ids that it makes room for at once. */
  readonly expectedIds: number;
}

export const DEFAULT_MACHINE_OPTIONS: MachineOptions = {
  maxAccounts: 16_000_000,
  maxPending: 16_000_000,
  expectedIds: 1_000_000,
};

/** About so many pending transfers are given up in one go: some ms of work. */
export const EXPIRIES_AT_ONCE = 10_000;

export interface AccountView extends Balance {
  readonly id: bigint;
  readonly floor: bigint;
  readonly asset: number;
  readonly code: number;
  readonly frozen: boolean;
}

/** A pending transfer whose time came. */
export interface Expiry {
  readonly id: bigint;
  readonly debit: number;
  readonly credit: number;
  readonly amount: bigint;
}

/** Hears of everything that moves, as it happens. */
export interface MovementWatcher {
  /** A batch of transfers was applied; its outcome is overwritten by the next. */
  transfers(bytes: Uint8Array, outcome: TransferOutcome): void;
  /** In the order in which their time came. */
  expired(expiry: Expiry): void;
}

/**
 * The ledger as a deterministic state machine in memory: double entry, two phases, after the semantics of
 * TigerBeetle. The same operations at the same times give the same state and the same answers, always: no
 * clock, no randomness that shows, no I/O.
 */
export class LedgerMachine {
  readonly #accounts: AccountTable;
  readonly #pending: PendingTable;
  readonly #ids: IdMemory;
  readonly #transfers: TransferMachine;
  readonly #requests = new RequestMemory();
  #timeMs = 0;
  #rules = NEWEST_RULES;
  #watcher: MovementWatcher | undefined;

  /**
   * @param seed of the hash tables and fingerprints, a whole number below 2^53. It changes nothing that can
   *   be seen, and is a secret: whoever knows it can make one request pass for the repeat of another.
   */
  constructor({ seed }: { readonly seed: number }, options: Partial<MachineOptions> = {}) {
    const { maxAccounts, maxPending, expectedIds } = { ...DEFAULT_MACHINE_OPTIONS, ...options };
    this.#accounts = new AccountTable(seed, maxAccounts);
    this.#pending = new PendingTable(maxPending);
    this.#ids = new IdMemory(seed, expectedIds);
    this.#transfers = new TransferMachine({
      accounts: this.#accounts,
      pending: this.#pending,
      ids: this.#ids,
    });
  }

  /** Tells one watcher of all that moves from now on. */
  watch(watcher: MovementWatcher): void {
    this.#watcher = watcher;
  }

  /** Time of the newest batch, ms since 1970. */
  get timeMs(): number {
    return this.#timeMs;
  }

  get accountCount(): number {
    return this.#accounts.size;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** What the latest batch of transfers did; overwritten by the next. */
  get outcome(): TransferOutcome {
    return this.#transfers.outcome;
  }

  /** When the next pending transfer runs out of time; Infinity if none does. */
  get nextExpiryMs(): number {
    return this.#pending.nextExpiryMs;
  }

  /**
   * Moves time on, which never goes back, and gives up what has expired by then, the earliest first. After
   * some EXPIRIES_AT_ONCE the rest is left for the next time (see `nextExpiryMs`): it can no longer be
   * posted, but its funds are not free yet.
   * @param rules under which all is booked until the next time (see rules.ts).
   */
  advance(timeMs: number, rules = NEWEST_RULES): readonly Expiry[] {
    assert(Number.isSafeInteger(timeMs), 'the time of a ledger is a whole number of ms');
    assert(timeMs >= this.#timeMs, 'the time of a ledger never goes back');
    this.#timeMs = timeMs;
    this.#rules = rules;
    const expired: (Expiry & { readonly atMs: number })[] = [];
    for (let slot = this.#pending.expired(timeMs); slot >= 0; slot = this.#pending.expired(timeMs)) {
      const atMs = this.#pending.expiresAtMs(slot);
      // All of one time or none: which of them comes first is not part of the state.
      if (expired.length >= EXPIRIES_AT_ONCE && atMs !== expired.at(-1)?.atMs) break;
      expired.push({ ...this.#expire(slot), atMs });
    }
    expired.sort((left, right) => left.atMs - right.atMs || (left.id < right.id ? -1 : 1));
    for (const expiry of expired) this.#watcher?.expired(expiry);
    return expired;
  }

  /**
   * Opens accounts for anybody if the ledger itself does. Nobody opens his own by a signature, which costs
   * nothing and would fill the table (see rules.ts). Repeating one is harmless. @returns a result code for
   * each.
   */
  openAccounts(bytes: Uint8Array, signer?: Uint8Array): Uint8Array {
    const count = bytes.length / ACCOUNT_BYTES;
    assert(
      Number.isInteger(count) && count <= MAX_BATCH_ITEMS,
      'a batch holds whole records, up to its limit',
    );
    const results = new Uint8Array(count);
    for (let index = 0; index < count; index += 1) results[index] = this.#open(bytes, index, signer);
    return results;
  }

  /** @returns a result code for each transfer. */
  transfer(bytes: Uint8Array, signer?: Uint8Array): Uint8Array {
    const number = signer ? this.#signerNumber(signer) : LEDGER;
    const scope = signer && this.#rules >= OWN_IDS_RULES ? idScope(signer) : undefined;
    const results = this.#transfers.apply(bytes, number, this.#timeMs, scope);
    this.#watcher?.transfers(bytes, this.outcome);
    return results;
  }

  /** What speaks against a signed request as a whole, before its items are looked at; or 0. */
  requestFault({ signer, nonce, expiresAtMs, signature }: SignedRequest): number {
    // So said that no number is expired, too.
    if (!(expiresAtMs >= this.#timeMs)) return RESULTS['request-expired'].code;
    return this.#requests.isFresh(signer, nonce, signature) ? RESULTS.ok.code : RESULTS['nonce-used'].code;
  }

  /** A request was looked at: it and all before it count no more, save as a repeat of the very same. */
  noteRequest({ signer, nonce, signature }: SignedRequest): void {
    // Requests of those who own nothing can do nothing, and would fill the memory.
    if (this.#accounts.ownerNumber(signer) > NOBODY) this.#requests.note(signer, nonce, signature);
  }

  /** Freezes or thaws an account. @returns a result code. */
  setFrozen(id: bigint, frozen: boolean): number {
    const account = this.#numberOf(id);
    if (account < 0) return RESULTS['account-not-found'].code;
    const flags = this.#accounts.flags(account);
    this.#accounts.setFlags(account, frozen ? flags | ACCOUNT_FLAGS.frozen : flags & ~ACCOUNT_FLAGS.frozen);
    return RESULTS.ok.code;
  }

  /** Ids from before `timeMs` are refused from now on. */
  forgetBefore(timeMs: number): void {
    this.#ids.forgetBefore(timeMs);
  }

  /** What was asked under which id. */
  get ids(): IdMemory {
    return this.#ids;
  }

  /** Everything but the ids. */
  snapshot(): Snapshot {
    return takeSnapshot(this.#tables, this.#timeMs);
  }

  /**
   * Fills a new machine.
   * @param ids that were held when the snapshot was taken, as entries of the id memory.
   */
  restore(snapshot: Snapshot, ids: Iterable<Uint32Array>): void {
    assert(this.#accounts.size === 0 && this.#timeMs === 0, 'a machine is restored before it is used');
    for (const entry of ids) this.#ids.restore(entry);
    restoreSnapshot(this.#tables, snapshot);
    this.#timeMs = snapshot.timeMs;
  }

  account(id: bigint): AccountView | undefined {
    const number = this.#numberOf(id);
    return number < 0 ? undefined : this.#view(number);
  }

  /** Number of an account in the order of their opening, from 0 on; −1 if there is none. */
  accountNumber(id: bigint): number {
    return this.#numberOf(id);
  }

  /** Id of the account of a number below `accountCount`. */
  accountId(number: number): bigint {
    return wide(this.#accounts.facts(number).ids, 0);
  }

  /** By number, in the order of their opening. */
  *accounts(): Generator<AccountView, void, undefined> {
    for (let number = 0; number < this.#accounts.size; number += 1) yield this.#view(number);
  }

  /**
   * Checks over all accounts that nothing was made or lost: by asset, what was debited was credited; account
   * by account, what is pending in balances is what is pending in transfers, and nobody paid below his floor.
   */
  assertConservation(): void {
    const sums = new Map<number, bigint>();
    const waiting = this.#waiting();
    for (let account = 0; account < this.#accounts.size; account += 1) {
      const asset = this.#accounts.asset(account);
      const { debitsPosted, creditsPosted, ...balance } = this.#accounts.balance(account);
      sums.set(asset, (sums.get(asset) ?? 0n) + creditsPosted - debitsPosted);
      const isWaiting =
        balance.debitsPending === waiting[2 * account] && balance.creditsPending === waiting[2 * account + 1];
      assert(isWaiting, 'pending balances are pending transfers');
      const out = debitsPosted + balance.debitsPending;
      const { floor } = this.#accounts.facts(account);
      assert(out === 0n || floor === NO_FLOOR || creditsPosted - out >= floor, 'nobody paid below his floor');
    }
    for (const sum of sums.values()) assert(sum === 0n, 'by asset, what was debited was credited');
  }

  /** What waits to be debited and credited, two for each account. */
  #waiting(): BigUint64Array {
    const waiting = new BigUint64Array(2 * this.#accounts.size);
    for (const slot of this.#pending.slots()) {
      const [debit, credit] = [2 * this.#pending.debit(slot), 2 * this.#pending.credit(slot) + 1];
      waiting[debit] = u64(waiting, debit) + this.#pending.amount(slot);
      waiting[credit] = u64(waiting, credit) + this.#pending.amount(slot);
    }
    return waiting;
  }

  #expire(slot: number): Expiry {
    const [debit, credit] = [this.#pending.debit(slot), this.#pending.credit(slot)];
    const amount = this.#pending.amount(slot);
    this.#accounts.subtract64(debit, DEBITS_PENDING, amount);
    this.#accounts.subtract64(credit, CREDITS_PENDING, amount);
    this.#pending.end(slot);
    this.#pending.release(slot);
    this.#ids.change(this.#ids.find(this.#pending.ids, 4 * slot), ID_STATE.expired);
    return { id: wide(this.#pending.ids, 4 * slot), debit, credit, amount };
  }

  #open(bytes: Uint8Array, index: number, signer: Uint8Array | undefined): number {
    const account = readAccount(bytes, index);
    const halves = halvesOf(account.id);
    if (isZero(halves, 0)) return RESULTS['id-zero'].code;
    if (account.asset === 0) return RESULTS['asset-zero'].code;
    if (account.code === 0) return RESULTS['code-zero'].code;
    if (account.flags !== 0) return RESULTS['flags-invalid'].code;
    if (signer && !mayOpen(account, signer)) return RESULTS['not-authorized'].code;
    const known = this.#accounts.find(halves, 0);
    if (known >= 0) return this.#isSame(known, account) ? RESULTS.ok.code : RESULTS['id-conflict'].code;
    if (signer && this.#rules >= OWN_IDS_RULES) return RESULTS['account-by-order'].code;
    if (this.#accounts.isFull) return RESULTS['too-many-accounts'].code;
    this.#accounts.add(halves, 0, account);
    return RESULTS.ok.code;
  }

  #isSame(known: number, account: Account): boolean {
    const { floor, asset, code } = this.#accounts.facts(known);
    return (
      floor === account.floor &&
      asset === account.asset &&
      code === account.code &&
      this.#accounts.owner(known) === this.#accounts.ownerNumber(account.owner)
    );
  }

  /** Whoever owns no account, or claims to be nobody, can pay from none. */
  #signerNumber(signer: Uint8Array): number {
    const number = this.#accounts.ownerNumber(signer);
    return number > NOBODY ? number : STRANGER;
  }

  get #tables(): MachineTables {
    return { accounts: this.#accounts, pending: this.#pending, ids: this.#ids, requests: this.#requests };
  }

  #numberOf(id: bigint): number {
    return id === BigInt.asUintN(128, id) ? this.#accounts.find(halvesOf(id), 0) : -1;
  }

  #view(number: number): AccountView {
    const { ids, floor, asset, code } = this.#accounts.facts(number);
    const frozen = this.#accounts.isFrozen(number);
    return { id: wide(ids, 0), floor, asset, code, frozen, ...this.#accounts.balance(number) };
  }
}

/** Under the first rules owners opened what was theirs; what is nobody's, or may owe, opens the ledger. */
function mayOpen({ id, owner, floor }: Account, signer: Uint8Array): boolean {
  if (isReserved(id)) return false;
  return floor >= 0n && signer.some((byte) => byte !== 0) && Buffer.compare(signer, owner) === 0;
}

function halvesOf(id: bigint): Uint32Array {
  return Uint32Array.from([0n, 32n, 64n, 96n], (shift) => Number((id >> shift) & 0xffff_ffffn));
}

function wide(halves: Uint32Array, at: number): bigint {
  let value = 0n;
  for (let word = 3; word >= 0; word -= 1) value = (value << 32n) | BigInt(u32(halves, at + word));
  return value;
}
