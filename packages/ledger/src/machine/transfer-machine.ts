import { assert } from '@clawbernetes/kernel';
import {
  CREDITS_PENDING,
  CREDITS_POSTED,
  DEBITS_PENDING,
  DEBITS_POSTED,
  type AccountTable,
} from './account-table.ts';
import { u16, u32, u64 } from './cells.ts';
import { entryState, entryValue, type IdMemory } from './id-memory.ts';
import { isInScope, type IdScope } from './id-scope.ts';
import { ID_STATE } from './id-state.ts';
import { idTimeMs, isLedgerId } from './id-time.ts';
import type { PendingTable } from './pending-table.ts';
import { isFinalFailure, RESULTS } from './result-code.ts';
import { EFFECT, TransferOutcome } from './transfer-outcome.ts';
import {
  HALF,
  MAX_BATCH_ITEMS,
  TRANSFER_BYTES,
  TRANSFER_FLAGS,
  TRANSFER_HALVES,
  TRANSFER_WORDS,
  WORD,
} from './transfer-record.ts';
import { shapeFault, type TransferViews } from './transfer-shape.ts';

/** Signer of what the ledger itself does: it may move what belongs to anybody. */
export const LEDGER = -1;
/** A signer who owns no account. */
export const STRANGER = -2;

const OK = RESULTS.ok.code;
/** The clocks of callers may be ahead of the ledger's by this. */
const AHEAD_MS = 60_000;

export interface TransferTables {
  readonly accounts: AccountTable;
  readonly pending: PendingTable;
  readonly ids: IdMemory;
}

/** Applies batches of transfers to the tables. No clock, no I/O: time comes with the batch. */
export class TransferMachine {
  readonly outcome = new TransferOutcome();
  readonly #tables: TransferTables;
  #views: TransferViews = viewsOf(new Uint8Array());
  #signer = LEDGER;
  #scope: IdScope | undefined;
  #timeMs = 0;
  #chainStart = -1;
  #chainBroken = false;
  /** Slots that were ended in the chain at hand, which its failure would bring back. */
  #ended: number[] = [];
  /** Of the items of the batch at hand that move anything: numbers of their accounts, or −1. */
  readonly #debits = new Int32Array(MAX_BATCH_ITEMS);
  readonly #credits = new Int32Array(MAX_BATCH_ITEMS);

  constructor(tables: TransferTables) {
    this.#tables = tables;
  }

  /**
   * @param bytes TRANSFER_BYTES each; at most MAX_BATCH_ITEMS.
   * @param signer number of the owner who signed, or LEDGER.
   * @param scope of the ids that he may use; undefined: of any.
   * @returns a result code for each.
   */
  apply(bytes: Uint8Array, signer: number, timeMs: number, scope?: IdScope): Uint8Array {
    this.#views = viewsOf(bytes);
    this.#signer = signer;
    this.#scope = scope;
    this.#timeMs = timeMs;
    this.#chainStart = -1;
    this.#chainBroken = false;
    const { count } = this.#views;
    const results = new Uint8Array(count);
    this.#tables.ids.touch(this.#views.halves, HALF.id);
    this.#tables.ids.touch(this.#views.halves, HALF.pending);
    this.#tables.accounts.findAll(
      this.#views.halves,
      { at: HALF.debit, stride: TRANSFER_HALVES },
      this.#debits,
    );
    this.#tables.accounts.findAll(
      this.#views.halves,
      { at: HALF.credit, stride: TRANSFER_HALVES },
      this.#credits,
    );
    for (let item = 0; item < count; item += 1) this.#step(item, results);
    return results;
  }

  #step(item: number, results: Uint8Array): void {
    const flags = u16(this.#views.quarters, 2 * (item * TRANSFER_HALVES + HALF.tail) + 1);
    const isLinked = (flags & TRANSFER_FLAGS.linked) !== 0;
    if (isLinked && this.#chainStart < 0) this.#chainStart = item;
    this.outcome.effects[item] = EFFECT.none;
    const code = this.#answer(item, isLinked);
    results[item] = code;
    if (code !== OK && this.#chainStart >= 0 && !this.#chainBroken) this.#breakChain(item, results);
    if (!isLinked) this.#endChain();
  }

  /** What its chain makes of an item, or it of itself. */
  #answer(item: number, isLinked: boolean): number {
    if (isLinked && item === this.#views.count - 1) return RESULTS['linked-event-chain-open'].code;
    return this.#chainBroken ? RESULTS['linked-event-failed'].code : this.#one(item);
  }

  #endChain(): void {
    if (this.#ended.length > 0) this.#release();
    this.#chainStart = -1;
    this.#chainBroken = false;
  }

  #release(): void {
    for (const slot of this.#ended) this.#tables.pending.release(slot);
    this.#ended.length = 0;
  }

  /** Undoes what the chain did before `item`, which failed. */
  #breakChain(item: number, results: Uint8Array): void {
    for (let before = item - 1; before >= this.#chainStart; before -= 1) {
      this.#undo(before);
      results[before] = RESULTS['linked-event-failed'].code;
    }
    this.#chainBroken = true;
  }

  #one(item: number): number {
    const [word, half] = [item * TRANSFER_WORDS, item * TRANSFER_HALVES];
    const fault = shapeFault(this.#views, word, half);
    if (fault !== OK) return fault;
    const { ids } = this.#tables;
    const { halves, quarters } = this.#views;
    if (this.#signer !== LEDGER && isLedgerId(halves, half + HALF.id)) return RESULTS['not-authorized'].code;
    const madeAtMs = idTimeMs(halves, half + HALF.id);
    // Also where it is still held: when the archive drops it must not show.
    if (madeAtMs < ids.sinceMs) return RESULTS['id-too-old'].code;
    ids.identify(quarters, 2 * half, this.#signer);
    const place = ids.find(halves, half + HALF.id);
    const used = place >= 0 ? ids.entry(place) : ids.findOlder(halves, half + HALF.id);
    if (used && entryState(used) !== ID_STATE.none) return this.#repeatedCode(used);
    if (madeAtMs > this.#timeMs + AHEAD_MS) return RESULTS['id-in-future'].code;
    // What was answered before there was this rule is repeated above.
    if (this.#scope && !isInScope(halves, half + HALF.id, this.#scope)) return RESULTS['id-foreign'].code;
    const flags = u16(quarters, 2 * (half + HALF.tail) + 1);
    const completes = (flags & (TRANSFER_FLAGS.post | TRANSFER_FLAGS.void)) !== 0;
    const code = completes ? this.#complete(item, word, half, flags) : this.#move(item, word, half, flags);
    if (code === OK) this.#remember(place, item, half);
    // Strangers fail at no cost, so they leave no trace: neither a full memory nor a used id.
    else if (isFinalFailure(code) && this.#signer !== STRANGER)
      ids.remember(place, halves, half, ID_STATE.failed, code);
    return code;
  }

  /** The same request has the same answer as the first time. */
  #repeatedCode(used: Uint32Array): number {
    if (!this.#tables.ids.isSame(used)) return RESULTS['id-conflict'].code;
    return entryState(used) === ID_STATE.failed ? entryValue(used) : OK;
  }

  #remember(place: number, item: number, half: number): void {
    const isPending = this.outcome.effects[item] === EFFECT.reserved;
    const [state, value] = isPending ? [ID_STATE.live, u32(this.outcome.slots, item)] : [ID_STATE.done, 0];
    this.#tables.ids.remember(place, this.#views.halves, half, state, value);
  }

  /** A transfer that is done at once, or reserved. */
  #move(item: number, word: number, half: number, flags: number): number {
    const { accounts, pending } = this.#tables;
    const { halves, words } = this.#views;
    const debit = this.#debits[item] as number;
    if (debit < 0) return RESULTS['debit-account-not-found'].code;
    const credit = this.#credits[item] as number;
    if (credit < 0) return RESULTS['credit-account-not-found'].code;
    const amount = u64(words, word + WORD.amount);
    const fault = this.#moveFault(debit, credit, amount);
    if (fault !== OK) return fault;
    if ((flags & TRANSFER_FLAGS.pending) === 0) {
      accounts.add64(debit, DEBITS_POSTED, amount);
      accounts.add64(credit, CREDITS_POSTED, amount);
      this.outcome.set(item, EFFECT.moved, debit, credit, amount);
      return OK;
    }
    // Only signers of the newer rules have a scope.
    const isFull = this.#scope ? pending.isFullForSigners : pending.isFull;
    if (isFull) return RESULTS['too-many-pending'].code;
    const timeoutMs = u32(halves, half + HALF.timeout) * 1000;
    const expiresAtMs = timeoutMs === 0 ? Infinity : this.#timeMs + timeoutMs;
    accounts.add64(debit, DEBITS_PENDING, amount);
    accounts.add64(credit, CREDITS_PENDING, amount);
    this.outcome.set(item, EFFECT.reserved, debit, credit, amount);
    this.outcome.slots[item] = pending.add(halves, half + HALF.id, { debit, credit, amount, expiresAtMs });
    return OK;
  }

  #moveFault(debit: number, credit: number, amount: bigint): number {
    const { accounts } = this.#tables;
    if (this.#signer !== LEDGER && accounts.owner(debit) !== this.#signer)
      return RESULTS['not-authorized'].code;
    if (accounts.asset(debit) !== accounts.asset(credit)) return RESULTS['assets-differ'].code;
    if (accounts.isFrozen(debit)) return RESULTS['debit-account-frozen'].code;
    if (accounts.isFrozen(credit)) return RESULTS['credit-account-frozen'].code;
    if (!accounts.canPay(debit, amount)) return RESULTS['insufficient-funds'].code;
    const overflows =
      accounts.overflows(debit, DEBITS_PENDING, amount) ||
      accounts.overflows(credit, CREDITS_PENDING, amount);
    return overflows ? RESULTS['balance-too-large'].code : OK;
  }

  /** The post or void of a pending transfer. */
  #complete(item: number, word: number, half: number, flags: number): number {
    const { ids, accounts, pending } = this.#tables;
    const { halves, words } = this.#views;
    const place = ids.find(halves, half + HALF.pending);
    const state = place < 0 ? ID_STATE.none : ids.state(place);
    if (state !== ID_STATE.live) return this.#goneCode(state, half + HALF.pending);
    const slot = ids.value(place);
    // Its time has come, even if its turn has not.
    if (pending.expiresAtMs(slot) <= this.#timeMs) return RESULTS['pending-expired'].code;
    const [debit, credit, whole] = [pending.debit(slot), pending.credit(slot), pending.amount(slot)];
    const isPost = (flags & TRANSFER_FLAGS.post) !== 0;
    if (this.#signer !== LEDGER && accounts.owner(isPost ? debit : credit) !== this.#signer)
      return RESULTS['not-authorized'].code;
    const asked = u64(words, word + WORD.amount);
    const amount = asked === 0n && isPost ? whole : asked;
    if (amount > whole) return RESULTS['pending-amount-exceeded'].code;
    const fault = isPost ? this.#postFault(debit, credit) : OK;
    if (fault !== OK) return fault;
    accounts.subtract64(debit, DEBITS_PENDING, whole);
    accounts.subtract64(credit, CREDITS_PENDING, whole);
    if (isPost) {
      accounts.add64(debit, DEBITS_POSTED, amount);
      accounts.add64(credit, CREDITS_POSTED, amount);
    }
    pending.end(slot);
    ids.change(place, isPost ? ID_STATE.posted : ID_STATE.voided, slot);
    this.outcome.set(item, isPost ? EFFECT.posted : EFFECT.voided, debit, credit, amount);
    this.outcome.released[item] = whole;
    this.outcome.slots[item] = slot;
    this.#ended.push(slot);
    return OK;
  }

  /** Why what is named is not pending. */
  #goneCode(state: number, at: number): number {
    const { ids } = this.#tables;
    // What is forgotten is forgotten where it is still held, too.
    if (idTimeMs(this.#views.halves, at) < ids.sinceMs) return goneCode(ID_STATE.none);
    if (state !== ID_STATE.none) return goneCode(state);
    const older = ids.findOlder(this.#views.halves, at);
    return goneCode(older ? entryState(older) : state);
  }

  /** There is room for what is posted since it was reserved. */
  #postFault(debit: number, credit: number): number {
    const { accounts } = this.#tables;
    if (accounts.isFrozen(debit)) return RESULTS['debit-account-frozen'].code;
    return accounts.isFrozen(credit) ? RESULTS['credit-account-frozen'].code : OK;
  }

  #undo(item: number): void {
    const { ids, accounts, pending } = this.#tables;
    const { halves } = this.#views;
    const effect = this.outcome.effects[item];
    if (effect === EFFECT.none) return;
    const [debit, credit] = [u32(this.outcome.debits, item), u32(this.outcome.credits, item)];
    const amount = u64(this.outcome.amounts, item);
    const slot = u32(this.outcome.slots, item);
    if (effect === EFFECT.reserved) {
      accounts.subtract64(debit, DEBITS_PENDING, amount);
      accounts.subtract64(credit, CREDITS_PENDING, amount);
      pending.end(slot);
      pending.release(slot);
    } else if (effect !== EFFECT.voided) {
      accounts.subtract64(debit, DEBITS_POSTED, amount);
      accounts.subtract64(credit, CREDITS_POSTED, amount);
    }
    if (effect === EFFECT.posted || effect === EFFECT.voided) {
      accounts.add64(debit, DEBITS_PENDING, pending.amount(slot));
      accounts.add64(credit, CREDITS_PENDING, pending.amount(slot));
      pending.revive(slot);
      assert(this.#ended.pop() === slot, 'a chain is undone in reverse');
      ids.change(ids.find(halves, item * TRANSFER_HALVES + HALF.pending), ID_STATE.live, slot);
    }
    ids.change(ids.find(halves, item * TRANSFER_HALVES + HALF.id), ID_STATE.none);
    this.outcome.effects[item] = EFFECT.none;
  }
}

function goneCode(state: number): number {
  if (state === ID_STATE.posted) return RESULTS['pending-already-posted'].code;
  if (state === ID_STATE.voided) return RESULTS['pending-already-voided'].code;
  if (state === ID_STATE.expired) return RESULTS['pending-expired'].code;
  return RESULTS['pending-not-found'].code;
}

function viewsOf(bytes: Uint8Array): TransferViews {
  const count = bytes.length / TRANSFER_BYTES;
  assert(Number.isInteger(count) && count <= MAX_BATCH_ITEMS, 'a batch holds whole records, up to its limit');
  // Views of wider words begin where such words do.
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes);
  const { buffer, byteOffset } = aligned;
  return {
    count,
    words: new BigUint64Array(buffer, byteOffset, count * TRANSFER_WORDS),
    halves: new Uint32Array(buffer, byteOffset, count * TRANSFER_HALVES),
    quarters: new Uint16Array(buffer, byteOffset, count * TRANSFER_HALVES * 2),
  };
}
