// Shows that a ledger whose connection to PostgreSQL ends in the middle of a commit never gives a wrong
// answer: who waits learns that the outcome is unknown, and by asking again what it was; nothing answered is
// lost, nothing is done twice.
import { systemClock } from '@clawbernetes/kernel';
import { auditLedger } from '@clawbernetes/ledger';
import { startTestPostgres, type TestPostgres } from '@clawbernetes/storage/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { JournalFollower, keyOfOperation } from '../journal/journal-follower.ts';
import { expectHistory } from './expect-history.ts';
import { openCommitRelay, type CommitRelay } from './commit-relay.ts';
import { journalOf, openBook, stoppableClock } from './open-book.ts';
import { RequestLoad } from './request-load.ts';

const LEDGER = 'lost-connection';
const server = await startTestPostgres();
const missing = 'skipped' in server ? server.skipped : undefined;

type Break = (load: RequestLoad, relay: CommitRelay, url: string) => Promise<void>;

/** Of what was asked without an answer: how much the journal has all the same, and how much it has not. */
interface Unanswered {
  booked: number;
  notBooked: number;
}

/** A ledger that fails again and again under load. */
async function survive(postgres: TestPostgres, seed: number, breaks: readonly Break[]): Promise<Unanswered> {
  const seen: Unanswered = { booked: 0, notBooked: 0 };
  const url = await postgres.createDatabase();
  const relay = await openCommitRelay(url);
  const load = new RequestLoad(seed, { ledgerId: LEDGER, nowMs: systemClock.nowMs() });
  const follower = new JournalFollower();
  for (const [round, breakIt] of breaks.entries()) {
    const book = await openBook(relay.url, { ledgerId: LEDGER });
    follower.follow(await journalOf(book.store));
    count(load, follower, seen);
    await load.prepare(book.ledger);
    const ended = load.run(book.ledger, () => false);
    await answers(load, 40 * round);
    await breakIt(load, relay, url);
    // Whoever waits is told, and nothing else than this.
    expect(new Set(await ended)).toEqual(new Set(['ledger-closed']));
    await book.close();
    await postgres.query(`update storage_writer set expires_at = '-infinity'`, url);
  }
  const { clock, stop } = stoppableClock();
  const book = await openBook(url, { ledgerId: LEDGER, clock });
  follower.follow(await journalOf(book.store));
  count(load, follower, seen);
  const enough = load.answered.length + 200;
  const ended = await load.run(book.ledger, () => load.answered.length >= enough);
  expect(ended.every((code) => code === undefined)).toBe(true);
  stop();
  // With one more frame all that is due by now has happened.
  await load.prepare(book.ledger);
  follower.follow(await journalOf(book.store));
  expectAnswers(load, follower);
  await load.expectSigned(book.ledger);
  for (const { owner: _, ...account } of follower.naive.accounts())
    expect(await book.ledger.account(account.id)).toEqual(account);
  await expectHistory(book);
  await book.ledger.audit();
  expect((await auditLedger(book.store, { ledgerId: LEDGER })).discrepancies).toEqual([]);
  await book.close();
  return seen;
}

function count(load: RequestLoad, { results }: JournalFollower, seen: Unanswered): void {
  const booked = load.open.filter((operation) => results.has(keyOfOperation(operation)));
  seen.booked += booked.length;
  seen.notBooked += load.open.length - booked.length;
}

/** Each answer is what the journal leads to; what was done stays done, however often it is asked for. */
function expectAnswers(load: RequestLoad, { results }: JournalFollower): void {
  const first = new Map<string, readonly (string | undefined)[]>();
  for (const { operation, results: codes } of load.answered) {
    const key = keyOfOperation(operation);
    expect(results.get(key)).toContainEqual(codes);
    const before = first.get(key);
    if (operation.kind === 'transfers' && before)
      expect(codes.map((code, at) => before[at] !== 'ok' || code === 'ok')).not.toContain(false);
    else first.set(key, codes);
  }
}

/** Resolves once so many more were answered. */
async function answers(load: RequestLoad, more: number): Promise<void> {
  const wanted = load.answered.length + more;
  await expect.poll(() => load.answered.length, { interval: 2, timeout: 20_000 }).toBeGreaterThan(wanted);
}

const cut =
  (...[moment, table]: Parameters<CommitRelay['cutAt']>): Break =>
  (_load, relay) =>
    relay.cutAt(moment, table);

describe.skipIf(missing !== undefined)(`a lost connection${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  const postgres = server as TestPostgres;
  afterAll(() => postgres[Symbol.asyncDispose]());

  /** Wherever the server is with it. */
  const terminate: Break = async (load, _relay, url) => {
    await answers(load, load.answered.length % 17);
    const writers = `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'clawbernetes-writer' and datname = current_database()`;
    await postgres.query(writers, url);
  };

  it('that is ended by the server at any moment', async () => {
    const { booked, notBooked } = await survive(postgres, 1, [terminate, terminate, terminate, terminate]);
    expect(booked + notBooked).toBeGreaterThan(0);
  });

  it('that is cut before the server has the commit', async () => {
    const tables = ['ledger_frame', 'ledger_segment_page', 'ledger_checkpoint', 'ledger_frame'];
    const { notBooked } = await survive(
      postgres,
      2,
      tables.map((table) => cut('before', table)),
    );
    expect(notBooked).toBeGreaterThan(0);
  });

  it('that is cut after the commit, before its answer', async () => {
    const tables = ['ledger_frame', 'ledger_segment', 'ledger_checkpoint', 'ledger_frame'];
    const { booked } = await survive(
      postgres,
      3,
      tables.map((table) => cut('after', table)),
    );
    expect(booked).toBeGreaterThan(0);
  });
});
