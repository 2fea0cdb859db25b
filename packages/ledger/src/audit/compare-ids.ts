import { compareIds, ENTRY_WORDS, sortedRun } from '../journal/id-run.ts';
import type { Row, RowReader } from '@clawbernetes/storage';
import { ID_STATE } from '../machine/id-state.ts';
import { idTimeMs } from '../machine/id-time.ts';
import { u32 } from '../machine/cells.ts';
import type { IdMemory } from '../machine/id-memory.ts';
import type { AuditIds } from './audit-ids.ts';
import { MergedIds, type SortedPages } from './merged-ids.ts';
import { storedRuns } from './stored-runs.ts';

/** Of an entry, words. */
const VALUE = 6;
const STATE = 7;
/** Times that a ledger in use may forget ids while they are compared. */
const MAX_ATTEMPTS = 3;

/** What an audit has come to know of ids. */
export interface KnownIds {
  /** That are held in memory. */
  readonly held: IdMemory;
  readonly aside: AuditIds | undefined;
}

/**
 * The first id, in hex, that the runs of a ledger up to a checkpoint do not remember as an audit does;
 * undefined if all are as they should be. What is pending is not in runs, and what is forgotten need not be.
 */
export async function differentStoredId(
  rows: RowReader,
  checkpoint: number,
  { held, aside }: KnownIds,
): Promise<string | undefined> {
  let { sinceMs } = held;
  for (let attempt = 1; ; attempt += 1) {
    const known = new MergedIds([...((await aside?.runs()) ?? []), heldRun(held)]);
    const stored = new MergedIds(await storedRuns(rows, checkpoint));
    const different = await differentId(known, stored, sinceMs);
    const forgottenMs = different === undefined ? 0 : await newestSinceMs(rows);
    // A ledger in use drops what it has forgotten since.
    if (forgottenMs <= sinceMs || attempt === MAX_ATTEMPTS) return different;
    sinceMs = forgottenMs;
  }
}

async function* heldRun(ids: IdMemory): SortedPages {
  const entries = new Uint32Array(ids.size * ENTRY_WORDS);
  let at = 0;
  for (const entry of ids.entries()) {
    entries.set(entry, at);
    at += ENTRY_WORDS;
  }
  const run = sortedRun(entries.subarray(0, at));
  if (run) yield run.entries;
}

async function newestSinceMs({ rows }: RowReader): Promise<number> {
  const query = rows.selectFrom('ledger_checkpoint').select('since_ms').orderBy('sequence', 'desc').limit(1);
  const row: Row | undefined = await query.executeTakeFirst();
  return Number(row?.['since_ms'] ?? 0);
}

/**
 * The first id from `sinceMs` on, in hex, that one side has and the other has not, or with another outcome;
 * undefined if there is none. Fingerprints are not compared: each side has a key of its own.
 */
async function differentId(left: MergedIds, right: MergedIds, sinceMs: number): Promise<string | undefined> {
  const [expected, found] = [new Cursor(left, sinceMs), new Cursor(right, sinceMs)];
  for (;;) {
    const [more, other] = [await expected.fill(), await found.fill()];
    if (!more && !other) return undefined;
    if (!more || !other) return more ? expected.id() : found.id();
    for (; expected.isAtEntry && found.isAtEntry; expected.step(), found.step()) {
      const order = compareIds(expected.page, expected.at, found.page, found.at);
      if (order !== 0) return order < 0 ? expected.id() : found.id();
      if (expected.outcome() !== found.outcome()) return expected.id();
    }
  }
}

class Cursor {
  page: Uint32Array = new Uint32Array();
  at = 0;
  readonly #ids: MergedIds;
  readonly #sinceMs: number;

  constructor(ids: MergedIds, sinceMs: number) {
    this.#ids = ids;
    this.#sinceMs = sinceMs;
  }

  get isAtEntry(): boolean {
    return this.at < this.page.length;
  }

  /** Whether there is an entry to look at. */
  async fill(): Promise<boolean> {
    while (!this.isAtEntry) {
      const page = await this.#ids.next();
      if (!page) return false;
      this.page = page;
      this.at = 0;
      while (this.isAtEntry && idTimeMs(page, this.at) < this.#sinceMs) this.at += ENTRY_WORDS;
    }
    return true;
  }

  step(): void {
    this.at += ENTRY_WORDS;
  }

  /** What is asked of it later; the value of others is a slot that says nothing. */
  outcome(): number {
    const state = u32(this.page, this.at + STATE);
    return state === ID_STATE.failed ? 256 * state + u32(this.page, this.at + VALUE) : 256 * state;
  }

  id(): string {
    let text = '';
    for (let word = 3; word >= 0; word -= 1)
      text += u32(this.page, this.at + word)
        .toString(16)
        .padStart(8, '0');
    return text;
  }
}
