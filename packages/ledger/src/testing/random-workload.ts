import type { Random } from '@clawbernetes/kernel';
import { NO_FLOOR, type Account } from '../machine/account-record.ts';
import { IDS_PER_MS, signerId } from '../machine/id-scope.ts';
import type { ResultName } from '../machine/result-code.ts';
import { TRANSFER_FLAGS, type Transfer } from '../machine/transfer-record.ts';

export type LedgerStep =
  | { readonly kind: 'open'; readonly accounts: readonly Account[]; readonly signer?: Uint8Array }
  | { readonly kind: 'transfer'; readonly transfers: readonly Transfer[]; readonly signer?: Uint8Array }
  | { readonly kind: 'freeze'; readonly id: bigint; readonly frozen: boolean }
  | { readonly kind: 'advance'; readonly ms: number }
  /** Ids older than this are refused from then on. */
  | { readonly kind: 'forget'; readonly ageMs: number }
  /** Moves the ids that are held into the archive. */
  | { readonly kind: 'archive' }
  /** Goes on with a machine that was restored from a snapshot. */
  | { readonly kind: 'restart' };

/** How many requests it can come back to: small, so that the same ids meet often. */
const RECALLED = 48;
const RECALLED_PENDING = 8;
const MAX_BATCH = 12;
const { linked, pending, post, void: giveUp } = TRANSFER_FLAGS;

/** Public keys of the owners; nobody owns the first, and the last owns nothing. */
const OWNERS = [0, 1, 2, 3, 254].map((byte) => new Uint8Array(32).fill(byte));
const [NOBODY = new Uint8Array(32), ALICE = NOBODY, BOB = NOBODY, CAROL = NOBODY] = OWNERS;
const STRANGE_AMOUNTS = [0n, 1n << 62n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];

/** What may be opened: twelve, of two assets, with ids that share words and floors of every kind. */
export const POSSIBLE_ACCOUNTS: readonly Account[] = [
  account(1n, NOBODY, NO_FLOOR, 1),
  account(2n, NOBODY, NO_FLOOR, 2),
  account(3n, ALICE, 0n, 1),
  account(1n << 64n, BOB, 0n, 1),
  account(1n << 127n, CAROL, 0n, 1),
  account((1n << 128n) - 1n, ALICE, 25n, 1),
  account((1n << 64n) | 1n, BOB, -40n, 1),
  account(1n << 32n, ALICE, 0n, 2),
  account(1n << 96n, BOB, 0n, 2),
  account((1n << 127n) | 3n, CAROL, 1n - (1n << 63n), 2),
  account(77n, NOBODY, 0n, 1),
  account(78n, CAROL, 0n, 2),
];

/** Those of them that are opened first. */
const OPENED = POSSIBLE_ACCOUNTS.slice(0, 8);

/** Draws steps that meet often: the same few accounts, ids that come again, pending transfers in reach. */
export class RandomWorkload {
  readonly #random: Pick<Random, 'fraction'>;
  #sent: readonly Transfer[] = [];
  #recent: readonly Transfer[] = [];
  #recentPending: readonly bigint[] = [];
  #nextId = 1n;
  #timeMs: number;
  #isFirst = true;

  constructor(random: Pick<Random, 'fraction'>, startMs: number) {
    this.#random = random;
    this.#timeMs = startMs;
  }

  /** What the latest step was answered: it goes on with what succeeded. */
  hear(answers: readonly ResultName[]): void {
    const done = this.#sent.filter((_, index) => answers[index] === 'ok');
    const reserved = done.filter(({ flags }) => (flags & pending) !== 0).map(({ id }) => id);
    this.#recentPending = [...this.#recentPending, ...reserved].slice(-RECALLED_PENDING);
    this.#recent = [...this.#recent, ...this.#sent].slice(-RECALLED);
    this.#sent = [];
  }

  next(): LedgerStep {
    if (this.#isFirst) {
      this.#isFirst = false;
      return { kind: 'open', accounts: OPENED };
    }
    const draw = this.#below(100);
    if (draw < 70) return this.#transfers();
    if (draw < 84) return this.#advance();
    if (draw < 90) return this.#open();
    if (draw < 94) return this.#freeze();
    if (draw < 96) return { kind: 'archive' };
    if (draw < 98) return { kind: 'restart' };
    return { kind: 'forget', ageMs: this.#below(120_000) };
  }

  #advance(): LedgerStep {
    // Half seconds, as timeouts are whole ones: time often stands exactly at an expiry.
    const ms = this.#chance(10) ? this.#below(60_000) : 500 * this.#below(12);
    this.#timeMs += ms;
    return { kind: 'advance', ms };
  }

  #freeze(): LedgerStep {
    const id = this.#chance(5) ? 4n * BigInt(this.#below(3)) : this.#pick(POSSIBLE_ACCOUNTS).id;
    return { kind: 'freeze', id, frozen: this.#chance(15) };
  }

  #open(): LedgerStep {
    const accounts = Array.from({ length: 1 + this.#below(4) }, () => {
      const possible = this.#pick(POSSIBLE_ACCOUNTS);
      return this.#chance(25) ? { ...possible, ...this.#accountChange() } : possible;
    });
    return { kind: 'open', accounts, ...this.#signer() };
  }

  #accountChange(): Partial<Account> {
    return this.#pick<Partial<Account>>([
      { id: 0n },
      { asset: 0 },
      { asset: 3 },
      { code: 0 },
      { code: 9 },
      { flags: 1 },
      { floor: -1n },
      { floor: 7n },
      { owner: this.#pick(OWNERS) },
    ]);
  }

  #transfers(): LedgerStep {
    const signed = this.#signer();
    const transfers: Transfer[] = [];
    for (let left = 1 + this.#below(MAX_BATCH); left > 0; left -= 1)
      transfers.push(this.#transfer(signed.signer, transfers));
    // Only by chance is the last one linked to nothing.
    const last = transfers.at(-1);
    if (last && !this.#chance(4)) transfers[transfers.length - 1] = { ...last, flags: last.flags & ~linked };
    this.#sent = transfers;
    return { kind: 'transfer', transfers, ...signed };
  }

  #transfer(signer: Uint8Array | undefined, before: readonly Transfer[]): Transfer {
    if (this.#chance(10)) return this.#again(before);
    const draw = this.#below(100);
    const transfer = draw < 65 ? this.#move(signer, draw < 35) : this.#completion(signer, before, draw < 90);
    const isLinked = this.#chance(18);
    const whole = isLinked ? { ...transfer, flags: transfer.flags | linked } : transfer;
    return this.#chance(4) ? { ...whole, ...this.#change() } : whole;
  }

  /** A repeat, most often word for word. */
  #again(before: readonly Transfer[]): Transfer {
    const earlier = this.#pick([...this.#recent, ...before, ...before]) ?? this.#move(undefined, false);
    return this.#chance(30) ? { ...earlier, ...this.#change() } : earlier;
  }

  #change(): Partial<Transfer> {
    const id = this.#freshId();
    return this.#pick<Partial<Transfer>>([
      { id: 0n },
      { id: (1n << 128n) - 1n },
      { id: id + (BigInt(this.#below(200_000)) << 80n) },
      { id: id & ((1n << 80n) - 1n) },
      { id: this.#pick(this.#recent)?.id ?? id },
      { amount: this.#pick(STRANGE_AMOUNTS) },
      { amount: 3n },
      { reference: id },
      { code: this.#below(2) },
      { flags: this.#below(32) },
      { timeoutSeconds: 1 },
      { creditAccount: this.#pick(POSSIBLE_ACCOUNTS).id },
    ]);
  }

  #move(signer: Uint8Array | undefined, isPending: boolean): Transfer {
    const own = OPENED.filter(({ owner }) => owner === (signer ?? NOBODY));
    const debit = own.length > 0 && this.#chance(90) ? this.#pick(own) : this.#pick(POSSIBLE_ACCOUNTS);
    const peers = OPENED.filter(({ id, asset }) => asset === debit.asset && id !== debit.id);
    const credit = this.#chance(90) ? this.#pick(peers) : this.#pick(POSSIBLE_ACCOUNTS);
    const isLarge = debit.asset === 2 && this.#chance(20);
    return {
      ...NOTHING,
      id: this.#freshId(signer),
      debitAccount: this.#chance(98) ? debit.id : BigInt(this.#below(2)) << 40n,
      creditAccount: this.#chance(98) ? credit.id : BigInt(this.#below(2)) << 41n,
      amount: isLarge ? this.#pick(STRANGE_AMOUNTS) : BigInt(1 + this.#below(20)),
      timeoutSeconds: isPending && this.#chance(60) ? 1 + this.#below(15) : 0,
      flags: isPending ? pending : 0,
    };
  }

  #completion(signer: Uint8Array | undefined, before: readonly Transfer[], isPost: boolean): Transfer {
    const inBatch = before.filter(({ flags }) => (flags & pending) !== 0).map(({ id }) => id);
    const known = this.#pick([...this.#recentPending, ...inBatch, ...inBatch]);
    const pendingId = known !== undefined && this.#chance(95) ? known : this.#freshId();
    const amount = isPost && this.#chance(50) ? BigInt(this.#below(20)) : 0n;
    return { ...NOTHING, id: this.#freshId(signer), pendingId, amount, flags: isPost ? post : giveUp };
  }

  /** Of the signer's own, but for now and then. */
  #freshId(signer?: Uint8Array): bigint {
    this.#nextId += 1n;
    if (signer && !this.#chance(3)) return signerId(this.#timeMs, signer, Number(this.#nextId) % IDS_PER_MS);
    // Low words that are equal, high words that are equal: what is told apart is anywhere.
    const low = this.#chance(50) ? this.#nextId : this.#nextId << 40n;
    return (BigInt(this.#timeMs) << 80n) | low;
  }

  #signer(): { readonly signer?: Uint8Array } {
    return this.#chance(45) ? {} : { signer: this.#pick(OWNERS.slice(this.#chance(90) ? 1 : 0)) };
  }

  #pick<Item>(items: readonly [Item, ...Item[]]): Item;
  #pick<Item>(items: readonly Item[]): Item;
  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.#below(items.length)];
  }

  #chance(percent: number): boolean {
    return this.#below(100) < percent;
  }

  #below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }
}

const NOTHING: Transfer = {
  id: 0n,
  debitAccount: 0n,
  creditAccount: 0n,
  pendingId: 0n,
  amount: 0n,
  reference: 0n,
  timeoutSeconds: 0,
  code: 1,
  flags: 0,
};

function account(id: bigint, owner: Uint8Array, floor: bigint, asset: number): Account {
  return { id, owner, floor, asset, code: 1, flags: 0 };
}
