import { assertFits } from './cells.ts';

/**
 * A transfer as it travels, is signed and lies in the journal: 80 bytes, little endian, so that the machine
 * reads it in place.
 *
 * | bytes | field | |
 * |---|---|---|
 * | 0–15 | id | u128; its upper 48 bits are the ms since 1970 at which it was made; see IdScope, isLedgerId |
 * | 16–31 | debit account | u128; of a post or void: the id of the pending transfer |
 * | 32–47 | credit account | u128; of a post or void: zero |
 * | 48–55 | amount | u64 base units, below 2^63; of a post: zero means all of it; of a void: zero |
 * | 56–71 | reference | u128, such as a job or an agreement; the ledger only indexes it |
 * | 72–75 | timeout | u32 seconds until a pending transfer expires; zero means never |
 * | 76–77 | code | u16, what it is for (see TransferKind of the caller) |
 * | 78–79 | flags | u16, TRANSFER_FLAGS |
 */
export const TRANSFER_BYTES = 80;
/** Per record: in 64-bit and in 32-bit words. */
export const TRANSFER_WORDS = TRANSFER_BYTES / 8;
export const TRANSFER_HALVES = TRANSFER_BYTES / 4;
/** Most in one batch, after TigerBeetle: a message of about a mebibyte. */
export const MAX_BATCH_ITEMS = 8190;

/** Offsets in 64-bit words; a u128 is its low word, then its high word. */
export const WORD = { id: 0, debit: 2, pending: 2, credit: 4, amount: 6, reference: 7 } as const;
/** Offsets in 32-bit words. */
export const HALF = { id: 0, debit: 4, pending: 4, credit: 8, reference: 14, timeout: 18, tail: 19 } as const;

export const TRANSFER_FLAGS = {
  /** Done only together with the next item of the batch. */
  linked: 1,
  /** Reserves the amount until it is posted, voided or expires. */
  pending: 2,
  /** Completes a pending transfer, wholly or in part; the rest is free again. */
  post: 4,
  /** Gives a pending transfer up. */
  void: 8,
} as const;

export type TransferFlag = keyof typeof TRANSFER_FLAGS;

export interface Transfer {
  readonly id: bigint;
  readonly debitAccount: bigint;
  readonly creditAccount: bigint;
  /** Of the pending transfer that a post or void is about; else zero. */
  readonly pendingId: bigint;
  readonly amount: bigint;
  readonly reference: bigint;
  readonly timeoutSeconds: number;
  readonly code: number;
  readonly flags: number;
}

const LOW = (1n << 64n) - 1n;

/** Builds a batch in place; `bytes` is what was written so far, without a copy. */
export class TransferBatch {
  readonly #buffer: ArrayBuffer;
  readonly #words: BigUint64Array;
  readonly #halves: Uint32Array;
  readonly #quarters: Uint16Array;
  #count = 0;

  constructor(capacity = MAX_BATCH_ITEMS) {
    this.#buffer = new ArrayBuffer(capacity * TRANSFER_BYTES);
    this.#words = new BigUint64Array(this.#buffer);
    this.#halves = new Uint32Array(this.#buffer);
    this.#quarters = new Uint16Array(this.#buffer);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#buffer, 0, this.#count * TRANSFER_BYTES);
  }

  /** A field left out is zero. @throws RangeError when the batch is full or a field is too large. */
  add(transfer: Partial<Transfer> & Pick<Transfer, 'id'>): void {
    const {
      id,
      debitAccount = 0n,
      creditAccount = 0n,
      pendingId = 0n,
      amount = 0n,
      reference = 0n,
      timeoutSeconds = 0,
      code = 0,
      flags = 0,
    } = transfer;
    const base = this.#count * TRANSFER_WORDS;
    if (base >= this.#words.length) throw new RangeError('The batch is full.');
    if (amount < 0n || amount > LOW) throw new RangeError(`An amount of ${amount} is not in 64 bits.`);
    assertFits('A timeout', timeoutSeconds, 32);
    assertFits('A code', code, 16);
    assertFits('Flags', flags, 16);
    this.#put(base + WORD.id, id);
    this.#put(base + WORD.debit, pendingId === 0n ? debitAccount : pendingId);
    this.#put(base + WORD.credit, creditAccount);
    this.#words[base + WORD.amount] = amount;
    this.#put(base + WORD.reference, reference);
    const half = this.#count * TRANSFER_HALVES;
    this.#halves[half + HALF.timeout] = timeoutSeconds;
    this.#quarters[2 * (half + HALF.tail)] = code;
    this.#quarters[2 * (half + HALF.tail) + 1] = flags;
    this.#count += 1;
  }

  #put(word: number, value: bigint): void {
    if (value < 0n || value >> 128n !== 0n) throw new RangeError(`${value} is not in 128 bits.`);
    this.#words[word] = value & LOW;
    this.#words[word + 1] = value >> 64n;
  }
}

/** One transfer of a batch, as plain data. */
export function readTransfer(bytes: Uint8Array, index: number): Transfer {
  const view = new DataView(bytes.buffer, bytes.byteOffset + index * TRANSFER_BYTES, TRANSFER_BYTES);
  const wide = (word: number): bigint =>
    view.getBigUint64(8 * word, true) | (view.getBigUint64(8 * word + 8, true) << 64n);
  const flags = view.getUint16(78, true);
  const isOfPending = (flags & (TRANSFER_FLAGS.post | TRANSFER_FLAGS.void)) !== 0;
  return {
    id: wide(WORD.id),
    debitAccount: isOfPending ? 0n : wide(WORD.debit),
    creditAccount: wide(WORD.credit),
    pendingId: isOfPending ? wide(WORD.pending) : 0n,
    amount: view.getBigUint64(8 * WORD.amount, true),
    reference: wide(WORD.reference),
    timeoutSeconds: view.getUint32(4 * HALF.timeout, true),
    code: view.getUint16(76, true),
    flags,
  };
}
