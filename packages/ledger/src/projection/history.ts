import { assert, present } from '@clawbernetes/kernel';
import type { Balance } from '../machine/account-table.ts';
import type { LedgerMachine } from '../machine/ledger-machine.ts';
import type { AccountLine, AccountMovement, Line, LineRange, Movement } from './movement.ts';
import type { Found } from './projector.ts';
import type { ProjectorLink } from './projector-thread.ts';
import type { SegmentArchive } from './segment-archive.ts';
import { storedAccountLines, storedReferenceLines, type RowRange } from './stored-lines.ts';

/** Most movements of one answer. */
export const MAX_PAGE = 500;
const DEFAULT_PAGE = 100;
/** Most days of one answer. */
export const MAX_DAYS = 400;
/** Questions that wait for their answers at once. */
const MAX_QUESTIONS = 1000;
const DAY_MS = 86_400_000;

export interface PageOptions {
  /** Movements from this time on, ms since 1970. */
  readonly fromMs?: number;
  /** Movements before this time. */
  readonly toMs?: number;
  /** Goes on after a page: its `next`. */
  readonly after?: number;
  /** 1 to MAX_PAGE. */
  readonly limit?: number;
}

/** The newest first. */
export interface Page<Item> {
  readonly movements: readonly Item[];
  /** Asks for the next page; absent after the last one. A page before it may be empty. */
  readonly next?: number;
}

export interface Statement extends Page<AccountMovement> {
  /** Before the first movement of the time, and after its last one. */
  readonly opening: Balance;
  readonly closing: Balance;
}

/** What was posted to an account on one day, UTC. */
export interface Day {
  /** When it begins, ms since 1970. */
  readonly startMs: number;
  readonly debits: bigint;
  readonly credits: bigint;
  /** At its end. */
  readonly closing: Balance;
}

/** Who knows accounts by their numbers. */
export type AccountNames = Pick<LedgerMachine, 'accountNumber' | 'accountId'>;

const NOTHING: Balance = { debitsPending: 0n, debitsPosted: 0n, creditsPending: 0n, creditsPosted: 0n };

/** Answers what happened: from memory what is new, from segments in the store what is not. */
export class History {
  readonly #archive: SegmentArchive;
  readonly #link: ProjectorLink;
  readonly #asked = new Map<number, PromiseWithResolvers<Found>>();
  #names: AccountNames | undefined;
  #nextId = 1;
  #failure: Error | undefined;

  constructor(archive: SegmentArchive, link: ProjectorLink) {
    this.#archive = archive;
    this.#link = link;
  }

  /** Who names accounts from now on. */
  name(names: AccountNames): void {
    this.#names = names;
  }

  /** Movements of an account, the newest first. An account that there is not has none. */
  async account(id: bigint, options: PageOptions = {}): Promise<Page<AccountMovement>> {
    const range = rangeOf(options);
    const lines = await this.#lines(id, range);
    return { movements: lines.map((line) => this.#named(line)), ...nextOf(lines, range) };
  }

  /**
   * What happened to an account from a time up to another: `opening` and the movements of all pages make the
   * `closing` of the first page. What is booked between two pages does not come into them.
   */
  async statement(
    id: bigint,
    {
      fromMs,
      toMs,
      after,
      limit = DEFAULT_PAGE,
    }: PageOptions & { readonly fromMs: number; readonly toMs: number },
  ): Promise<Statement> {
    const [last] = await this.#lines(id, rangeOf({ toMs, limit: 1 }));
    const before = last === undefined ? 0 : last.number + 1;
    const [earlier] = await this.#lines(id, { ...rangeOf({ toMs: fromMs, limit: 1 }), before });
    const page = rangeOf({ fromMs, toMs, after: Math.min(before, after ?? before), limit });
    const lines = await this.#lines(id, page);
    return {
      opening: earlier?.after ?? NOTHING,
      closing: last?.after ?? NOTHING,
      movements: lines.map((line) => this.#named(line)),
      ...nextOf(lines, page),
    };
  }

  /** Movements of a reference, such as a job, the newest first; in all accounts. */
  async reference(reference: bigint, options: PageOptions = {}): Promise<Page<Movement>> {
    assert(reference > 0n && reference >> 128n === 0n, 'a reference has 128 bits and is not zero');
    const range = rangeOf(options);
    const { lines, storedRows } = await this.#ask((id) => ({ referenceLines: { reference, range }, id }));
    const movements = lines.map((line) => this.#named(line));
    if (lines.length >= range.limit) return { movements, ...nextOf(lines, range) };
    const rest = await this.#rowRange(range, storedRows, lines.length);
    if (rest.before <= rest.from) return { movements };
    const stored = await storedReferenceLines(this.#archive, reference, rest);
    const next = stored.before > rest.from ? { next: stored.before } : {};
    return { movements: [...movements, ...stored.lines.map((line) => this.#named(line))], ...next };
  }

  /** Sums of each day that has begun in this time, the earliest first; MAX_DAYS at most. */
  async days(
    id: bigint,
    { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  ): Promise<readonly Day[]> {
    const first = Math.floor(fromMs / DAY_MS);
    const last = Math.ceil(toMs / DAY_MS);
    assert(last - first <= MAX_DAYS, `an answer has ${MAX_DAYS} days at most`);
    const days: Day[] = [];
    let [newest] = await this.#lines(id, rangeOf({ toMs: last * DAY_MS, limit: 1 }));
    // From the end, so that days without movements cost nothing.
    for (let day = last - 1; day >= first; day -= 1) {
      const startMs = day * DAY_MS;
      const closing = newest?.after ?? NOTHING;
      const before = newest === undefined ? 0 : newest.number + 1;
      if (newest !== undefined && newest.timeMs >= startMs)
        [newest] = await this.#lines(id, { ...rangeOf({ toMs: startMs, limit: 1 }), before });
      const opening = newest?.after ?? NOTHING;
      const debits = closing.debitsPosted - opening.debitsPosted;
      days.push({ startMs, debits, credits: closing.creditsPosted - opening.creditsPosted, closing });
    }
    return days.toReversed();
  }

  /** The projector answers. */
  hear(id: number, found: Found): void {
    this.#asked.get(id)?.resolve(found);
    this.#asked.delete(id);
  }

  fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }

  async #lines(id: bigint, range: LineRange): Promise<readonly AccountLine[]> {
    const account = present(this.#names, 'a ledger that is followed').accountNumber(id);
    if (account < 0 || range.before <= 0 || range.fromMs >= range.toMs) return [];
    const found = await this.#ask((question) => ({ accountLines: { account, range }, id: question }));
    // Asked about an account, it answers with the sums after each movement.
    const lines = found.lines as readonly AccountLine[];
    if (lines.length >= range.limit || found.segment === 0) return lines;
    const rest = await this.#rowRange(range, found.storedRows, lines.length);
    const stored = await storedAccountLines(this.#archive, { account, newest: found.segment }, rest);
    return [...lines, ...stored];
  }

  async #rowRange(range: LineRange, storedRows: number, found: number): Promise<RowRange> {
    const toRow = range.toMs === Infinity ? storedRows : await this.#archive.rowAt(range.toMs);
    const from = range.fromMs === -Infinity ? 0 : await this.#archive.rowAt(range.fromMs);
    return { from, before: Math.min(storedRows, toRow, range.before), limit: range.limit - found };
  }

  async #ask(question: (id: number) => Parameters<ProjectorLink['send']>[0]): Promise<Found> {
    if (this.#failure) throw this.#failure;
    assert(this.#asked.size < MAX_QUESTIONS, `${MAX_QUESTIONS} questions at most wait for the history`);
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<Found>();
    this.#asked.set(id, answer);
    this.#link.send(question(id));
    return answer.promise;
  }

  #named<Known extends Line>({
    debit,
    credit,
    ...line
  }: Known): Omit<Known, 'debit' | 'credit'> & Pick<Movement, 'debitAccount' | 'creditAccount'> {
    const names = present(this.#names, 'a ledger that is followed');
    return { ...line, debitAccount: names.accountId(debit), creditAccount: names.accountId(credit) };
  }
}

function rangeOf({
  fromMs = -Infinity,
  toMs = Infinity,
  after = Infinity,
  limit = DEFAULT_PAGE,
}: PageOptions): LineRange {
  assert(Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE, `a page has 1 to ${MAX_PAGE} movements`);
  return { fromMs, toMs, before: after, limit };
}

/** A full page may be the last one; then the next one is empty. */
function nextOf(lines: readonly Line[], { limit }: LineRange): { readonly next?: number } {
  const last = lines.at(-1);
  return last === undefined || lines.length < limit ? {} : { next: last.number };
}
