import { present } from '@clawbernetes/kernel';
import { check } from '@clawbernetes/orders';
import type { Quorum } from './authorization.ts';
import { OWN_IDS_RULES, ROOM_RULES } from '../machine/rules.ts';
import type { Arrivals } from './arrivals.ts';
import type { Books, Step } from './books.ts';
import { idTimeMs, isIdOf } from './own-id.ts';
import type { OrderState } from './order-state.ts';
import type { Forgotten, Settings } from './records.ts';

/** The clocks of those who make ids may be ahead of the ledger's by this. */
const AHEAD_MS = 60_000;
const DAY_MS = 86_400_000;
/** What has ended is remembered for longer than its id could be taken for a new one. */
export const REMEMBERED_MS = 7 * DAY_MS;

/** Within which an order or a due event happens. */
export class OrderContext {
  readonly state: OrderState;
  readonly timeMs: number;
  readonly #rules: number;
  readonly #books: Books;
  readonly #cause: string;
  #bookings = 0;

  /** @param frame the time and the rules under which it happens. */
  constructor(
    state: OrderState,
    books: Books,
    { timeMs, rules }: { readonly timeMs: number; readonly rules: number },
    cause: string,
  ) {
    this.state = state;
    this.timeMs = timeMs;
    this.#rules = rules;
    this.#books = books;
    this.#cause = cause;
  }

  get settings(): Settings {
    return present(this.state.settings, 'the settings of an open ledger');
  }

  /** Whether what holds from these rules on holds now (see rules.ts). */
  isUnder(rules: number): boolean {
    return this.#rules >= rules;
  }

  get books(): Pick<Books, 'balance' | 'isOpen' | 'open'> {
    return this.#books;
  }

  /** Does all steps or none, for the thing with this id. Refuses with why it cannot be done. */
  book(id: string | undefined, steps: readonly Step[]): bigint {
    const cause = `${this.#cause} ${this.#bookings++}`;
    const reference = id === undefined ? 0n : BigInt(`0x${id}`);
    return this.#books.book({ cause, timeMs: this.timeMs, reference }, steps);
  }

  /** Refuses an id that could have been used and forgotten. */
  checkNewId(id: string): void {
    const madeAtMs = idTimeMs(id);
    check(madeAtMs <= this.timeMs + AHEAD_MS, 'id-in-future');
    check(madeAtMs > this.timeMs - DAY_MS, 'id-too-old');
  }

  /** As `checkNewId`, and that the id is of one of those who signed: nobody else can have used it up. */
  checkOwnNewId(id: string, signers: Iterable<string>): void {
    this.checkNewId(id);
    if (!this.isUnder(OWN_IDS_RULES)) return;
    check(
      [...signers].some((signer) => isIdOf(id, signer)),
      'id-foreign',
    );
  }

  /** Refuses an id that could have been used, and forgotten early. */
  checkNotForgotten(id: string, of: keyof Forgotten): void {
    check(idTimeMs(id) > (this.state.forgotten?.[of] ?? 0), 'id-too-old');
  }

  /**
   * Makes room among what is over: from one too many on, the one that was over first is forgotten early. Its
   * id could be taken for a new one, so no id that is as old counts as new any more (`checkNotForgotten`).
   * @returns what to forget now; undefined: nothing.
   */
  firstTooMany(over: Arrivals): string | undefined {
    if (!this.isUnder(ROOM_RULES) || over.size <= this.settings.maxOpen) return undefined;
    return over.takeFirst();
  }

  /** Ids as old as these are refused from now on. */
  noteForgotten(of: keyof Forgotten, ...ids: readonly string[]): void {
    const before = this.state.forgotten ?? { escrowsMs: 0, withdrawalsMs: 0 };
    this.state.forgotten = { ...before, [of]: Math.max(before[of], ...ids.map(idTimeMs)) };
  }

  checkRoom(size: number): void {
    check(size < this.settings.maxOpen, 'ledger-full');
  }
}

/** What an order needs, and what it then does. Until `run` moves money, nothing is changed. */
export interface OrderPlan {
  /** Within which the nonces of its signers rise. */
  readonly scope: string;
  /** Ways to allow it, the usual first; none: nobody signs. */
  readonly quorums: readonly Quorum[];
  readonly run: (signers: ReadonlySet<string>) => void;
}
