import { assert } from '@clawbernetes/kernel';
import { ACCOUNT_FLAGS, NO_FLOOR, OWNER_BYTES } from './account-record.ts';
import { u16, u32, u64 } from './cells.ts';
import { WideTable } from './wide-table.ts';

/** Columns of a balance, of which each account has four, in base units below 2^63. */
export const DEBITS_PENDING = 0;
export const DEBITS_POSTED = 1;
export const CREDITS_PENDING = 2;
export const CREDITS_POSTED = 3;
/** Of an account's record, which is one line of a processor's cache: 64-, 32- and 16-bit words. */
const RECORD = { words: 8, halves: 16, quarters: 32 } as const;
/** Where in the record, in words of its size; the four sums come first. */
const FLOOR = 4;
const [ASSET, OWNER] = [10, 11];
const [CODE, FLAGS] = [24, 25];

/** What a side has pending and posted stays below this, together: so every post has room. */
const TOO_LARGE = 1n << 63n;
/** Owner number of the ledger's own accounts, which no signature moves. */
export const NOBODY = 0;

export interface Balance {
  readonly debitsPending: bigint;
  readonly debitsPosted: bigint;
  readonly creditsPending: bigint;
  readonly creditsPosted: bigint;
}

/** Accounts by number, in the order of their creation: records in one buffer, under views of all widths. */
export class AccountTable {
  readonly #byId: WideTable;
  readonly #maxAccounts: number;
  /** Hex of a public key → its number. */
  readonly #owners = new Map<string, number>([['00'.repeat(OWNER_BYTES), NOBODY]]);
  readonly #ownerKeys = [new Uint8Array(OWNER_BYTES)];
  #size = 0;
  #capacity = 0;
  /** What `findAll` read beyond the numbers: kept, or it would be optimized away. */
  touched = 0;
  #ids = new Uint32Array(0);
  #words = new BigUint64Array(0);
  #signedWords = new BigInt64Array(0);
  #halves = new Uint32Array(0);
  #quarters = new Uint16Array(0);

  constructor(seed: number, maxAccounts: number) {
    this.#byId = new WideTable(seed);
    this.#maxAccounts = maxAccounts;
    this.#grow(1024);
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#maxAccounts;
  }

  /** Number of the account whose id is at `at`, or −1. */
  find(words: Uint32Array, at: number): number {
    const place = this.#byId.find(words, at);
    return place < 0 ? -1 : this.#byId.value(place, 0);
  }

  /**
   * Writes the numbers of many accounts, as `find` answers them, into `numbers`; faster than one by one, as
   * no lookup waits for another.
   */
  findAll(words: Uint32Array, { at, stride }: Every, numbers: Int32Array): void {
    let seen = 0;
    for (let item = 0, id = at; id < words.length; item += 1, id += stride) {
      const number = this.find(words, id);
      numbers[item] = number;
      if (number >= 0) seen ^= u32(this.#halves, number * RECORD.halves);
    }
    this.touched = seen;
  }

  /** The number of a public key: known from the first account that it owns, else −1. */
  ownerNumber(key: Uint8Array): number {
    return this.#owners.get(hex(key)) ?? -1;
  }

  add(words: Uint32Array, at: number, facts: AccountFacts): number {
    const number = this.#size;
    if (number >= this.#capacity) this.#grow(2 * number);
    const place = this.#byId.insert(this.#byId.find(words, at), words, at);
    this.#byId.set(place, 0, number);
    this.#ids.set(words.subarray(at, at + 4), 4 * number);
    this.#signedWords[number * RECORD.words + FLOOR] = facts.floor;
    this.#halves[number * RECORD.halves + ASSET] = facts.asset;
    this.#quarters[number * RECORD.quarters + CODE] = facts.code;
    this.setFlags(number, facts.flags);
    this.#halves[number * RECORD.halves + OWNER] = this.#intern(facts.owner);
    this.#size += 1;
    return number;
  }

  asset(account: number): number {
    return u32(this.#halves, account * RECORD.halves + ASSET);
  }

  owner(account: number): number {
    return u32(this.#halves, account * RECORD.halves + OWNER);
  }

  flags(account: number): number {
    return u16(this.#quarters, account * RECORD.quarters + FLAGS);
  }

  isFrozen(account: number): boolean {
    return (this.flags(account) & ACCOUNT_FLAGS.frozen) !== 0;
  }

  setFlags(account: number, flags: number): void {
    this.#quarters[account * RECORD.quarters + FLAGS] = flags;
  }

  facts(account: number): Omit<AccountFacts, 'owner'> & { readonly ids: Uint32Array } {
    return {
      ids: this.#ids.subarray(4 * account, 4 * account + 4),
      floor: this.#floor(account),
      asset: this.asset(account),
      code: u16(this.#quarters, account * RECORD.quarters + CODE),
      flags: this.flags(account),
    };
  }

  /** One of the four sums of an account. */
  sum(account: number, column: number): bigint {
    return u64(this.#words, RECORD.words * account + column);
  }

  balance(account: number): Balance {
    return {
      debitsPending: this.sum(account, DEBITS_PENDING),
      debitsPosted: this.sum(account, DEBITS_POSTED),
      creditsPending: this.sum(account, CREDITS_PENDING),
      creditsPosted: this.sum(account, CREDITS_POSTED),
    };
  }

  /** Whether a side, named by its pending sum, would leave its 63 bits with so much more. */
  overflows(account: number, side: typeof DEBITS_PENDING | typeof CREDITS_PENDING, amount: bigint): boolean {
    const cell = RECORD.words * account + side;
    const held = BigInt.asUintN(64, u64(this.#words, cell) + u64(this.#words, cell + 1));
    return BigInt.asUintN(64, held + amount) >= TOO_LARGE;
  }

  /**
   * Whether so much more can be paid: what was paid in, less what is paid out or reserved, over the floor.
   */
  canPay(account: number, amount: bigint): boolean {
    const base = RECORD.words * account;
    const floor = this.#floor(account);
    if (floor === NO_FLOOR) return true;
    const [reserved, paid] = [
      u64(this.#words, base + DEBITS_PENDING),
      u64(this.#words, base + DEBITS_POSTED),
    ];
    const out = BigInt.asUintN(64, BigInt.asUintN(64, reserved + paid) + amount);
    const credits = u64(this.#words, base + CREDITS_POSTED);
    // The difference of two sums below 2^63 is exact in 64 bits, which compute faster.
    return out < TOO_LARGE ? BigInt.asIntN(64, credits - out) >= floor : credits - out >= floor;
  }

  add64(account: number, column: number, amount: bigint): void {
    const cell = RECORD.words * account + column;
    this.#words[cell] = BigInt.asUintN(64, u64(this.#words, cell) + amount);
  }

  subtract64(account: number, column: number, amount: bigint): void {
    const cell = RECORD.words * account + column;
    const sum = u64(this.#words, cell);
    assert(sum >= amount, 'no balance is less than what it is made of');
    this.#words[cell] = BigInt.asUintN(64, sum - amount);
  }

  /** Puts a balance back as a snapshot has it. */
  restoreBalance(account: number, balance: Balance): void {
    this.#words[RECORD.words * account + DEBITS_PENDING] = balance.debitsPending;
    this.#words[RECORD.words * account + DEBITS_POSTED] = balance.debitsPosted;
    this.#words[RECORD.words * account + CREDITS_PENDING] = balance.creditsPending;
    this.#words[RECORD.words * account + CREDITS_POSTED] = balance.creditsPosted;
  }

  /** The public key of an owner's number. */
  ownerKey(owner: number): Uint8Array {
    return this.#ownerKeys[owner] ?? new Uint8Array(OWNER_BYTES);
  }

  #intern(owner: Uint8Array): number {
    const key = hex(owner);
    const known = this.#owners.get(key);
    if (known !== undefined) return known;
    this.#owners.set(key, this.#owners.size);
    return this.#ownerKeys.push(Uint8Array.from(owner)) - 1;
  }

  #floor(account: number): bigint {
    return this.#signedWords[account * RECORD.words + FLOOR] as bigint;
  }

  #grow(capacity: number): void {
    const [ids, words] = [this.#ids, this.#words];
    this.#ids = new Uint32Array(4 * capacity);
    this.#ids.set(ids);
    this.#words = new BigUint64Array(RECORD.words * capacity);
    this.#words.set(words);
    const { buffer } = this.#words;
    this.#signedWords = new BigInt64Array(buffer);
    this.#halves = new Uint32Array(buffer);
    this.#quarters = new Uint16Array(buffer);
    this.#capacity = capacity;
  }
}

/** The first of them, and how far each is from the one before, in words. */
interface Every {
  readonly at: number;
  readonly stride: number;
}

export interface AccountFacts {
  readonly owner: Uint8Array;
  readonly floor: bigint;
  readonly asset: number;
  readonly code: number;
  readonly flags: number;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
