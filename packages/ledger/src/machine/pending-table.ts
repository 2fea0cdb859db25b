import { assert, BinaryHeap } from '@clawbernetes/kernel';
import { f64, u32, u64 } from './cells.ts';

/** Time of a pending transfer that never expires. */
const NEVER = Infinity;

export interface PendingFacts {
  /** Numbers of accounts. */
  readonly debit: number;
  readonly credit: number;
  readonly amount: bigint;
  /** Infinity: never. */
  readonly expiresAtMs: number;
}

interface HeapEntry {
  readonly atMs: number;
  readonly slot: number;
  readonly use: number;
}

/**
 * Transfers that wait for their post, void or end of time, by slot; and which of them runs out first, in a
 * binary heap. What is done leaves its heap entry behind, which is swept when there are too many.
 */
export class PendingTable {
  readonly #maxPending: number;
  #live = 0;
  #used = 0;
  #free: number[] = [];
  #ids = new Uint32Array(0);
  #debits = new Uint32Array(0);
  #credits = new Uint32Array(0);
  #amounts = new BigUint64Array(0);
  #expiresAtMs = new Float64Array(0);
  /** Rises with each use of a slot; 0 while it is free, so that a stale heap entry is told. */
  #uses = new Uint32Array(0);
  readonly #heap = new BinaryHeap<HeapEntry>((left, right) => left.atMs < right.atMs);
  #nextUse = 1;

  constructor(maxPending: number) {
    this.#maxPending = maxPending;
    this.#grow(1024);
  }

  get size(): number {
    return this.#live;
  }

  get isFull(): boolean {
    return this.#live >= this.#maxPending;
  }

  /**
   * Whether the rest is the ledger's own: without it no escrow is funded, whatever those who sign leave
   * pending.
   */
  get isFullForSigners(): boolean {
    return this.#live >= this.#maxPending - Math.floor(this.#maxPending / 4);
  }

  /** @param at where the four words of the transfer's id are. */
  add(words: Uint32Array, at: number, { debit, credit, amount, expiresAtMs }: PendingFacts): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.#debits.length) this.#grow(2 * slot);
    for (let word = 0; word < 4; word += 1) this.#ids[4 * slot + word] = u32(words, at + word);
    this.#debits[slot] = debit;
    this.#credits[slot] = credit;
    this.#amounts[slot] = amount;
    this.#expiresAtMs[slot] = expiresAtMs;
    this.revive(slot);
    return slot;
  }

  /** It waits no longer. Its facts stay until `release`, so that this can be undone. */
  end(slot: number): void {
    assert(u32(this.#uses, slot) !== 0, 'a pending transfer ends once');
    this.#uses[slot] = 0;
    this.#live -= 1;
  }

  /** Undoes `end`. */
  revive(slot: number): void {
    const use = this.#nextUse;
    this.#nextUse = use === 0xffff_ffff ? 1 : use + 1;
    this.#uses[slot] = use;
    this.#live += 1;
    const atMs = f64(this.#expiresAtMs, slot);
    if (atMs === NEVER) return;
    if (this.#heap.size > 2 * this.#live + 1024) this.#heap.keep((entry) => this.#isWaiting(entry));
    this.#heap.push({ atMs, slot, use });
  }

  /** The slot of an ended transfer may be taken again. */
  release(slot: number): void {
    this.#free.push(slot);
  }

  debit(slot: number): number {
    return u32(this.#debits, slot);
  }

  credit(slot: number): number {
    return u32(this.#credits, slot);
  }

  amount(slot: number): bigint {
    return u64(this.#amounts, slot);
  }

  expiresAtMs(slot: number): number {
    return f64(this.#expiresAtMs, slot);
  }

  /** The words of its id, at `4 * slot`. */
  get ids(): Uint32Array {
    return this.#ids;
  }

  /** A slot whose time has come, or −1. It stays until it is ended. */
  expired(nowMs: number): number {
    for (;;) {
      const { first } = this.#heap;
      if (first === undefined) return -1;
      if (!this.#isWaiting(first)) this.#heap.pop();
      else return first.atMs <= nowMs ? first.slot : -1;
    }
  }

  /** When the next one runs out; Infinity if none does. May be too early, never too late. */
  get nextExpiryMs(): number {
    return this.#heap.first?.atMs ?? NEVER;
  }

  /** Slots that are in use. */
  *slots(): Generator<number, void, undefined> {
    for (let slot = 0; slot < this.#used; slot += 1) if (u32(this.#uses, slot) !== 0) yield slot;
  }

  #isWaiting({ slot, use }: HeapEntry): boolean {
    return u32(this.#uses, slot) === use;
  }

  #grow(capacity: number): void {
    const old = [this.#ids, this.#debits, this.#credits, this.#uses] as const;
    this.#ids = new Uint32Array(4 * capacity);
    this.#debits = new Uint32Array(capacity);
    this.#credits = new Uint32Array(capacity);
    this.#uses = new Uint32Array(capacity);
    for (const [index, column] of [this.#ids, this.#debits, this.#credits, this.#uses].entries())
      column.set(old[index] ?? []);
    const [amounts, expiresAtMs] = [this.#amounts, this.#expiresAtMs];
    this.#amounts = new BigUint64Array(capacity);
    this.#amounts.set(amounts);
    this.#expiresAtMs = new Float64Array(capacity);
    this.#expiresAtMs.set(expiresAtMs);
  }
}
