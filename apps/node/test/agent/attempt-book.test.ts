// Shows that the outbox loses no end: whatever is lost, repeated or reordered, every attempt's end reaches
// the gateway.
import { seededRandom } from '@clawbernetes/kernel';
import { isTerminal, type AttemptStatus, type NodeAttemptState } from '@clawbernetes/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AttemptBook } from '../../src/agent/attempt-book.ts';

const LIFE: readonly NodeAttemptState[] = ['accepted', 'preparing', 'running', 'stopping', 'exited'];

function status(attemptId: string, revision: number, change: Partial<AttemptStatus> = {}): AttemptStatus {
  return {
    attemptId,
    epoch: { term: 1, counter: 1 },
    revision,
    state: LIFE[revision - 1] ?? 'exited',
    acceptedAtMs: 0,
    sandbox: 'none',
    limitations: [],
    logEnd: 0,
    ...change,
  };
}

describe('one attempt', () => {
  test('only its newest status is kept and sent once', () => {
    const book = new AttemptBook();
    for (const revision of [1, 3, 2, 3]) book.observe(status('a', revision));
    expect(book.takeUnsent(10, 0).map(({ revision }) => revision)).toEqual([3]);
    expect(book.takeUnsent(10, 0)).toEqual([]);
  });

  test('its end is never replaced', () => {
    const book = new AttemptBook();
    expect(book.observe(status('a', 5))).toBe(true);
    expect(book.observe(status('a', 6, { state: 'running' }))).toBe(false);
    expect(book.get('a')?.state).toBe('exited');
  });

  test('it is settled when both its end and its log are confirmed, in either order', () => {
    for (const order of [
      ['end', 'log'],
      ['log', 'end'],
    ]) {
      const book = new AttemptBook();
      book.observe(status('a', 5, { logEnd: 100 }));
      for (const step of order) {
        expect(book.takeSettled()).toEqual([]);
        if (step === 'end') book.confirm('a', 5);
        else book.confirmLog('a', 100);
      }
      expect(book.takeSettled()).toEqual([{ attemptId: 'a', supervised: true }]);
      expect([book.size, book.wasForgotten('a'), book.observe(status('a', 9))]).toEqual([0, true, false]);
    }
  });

  test('confirming an older status settles nothing, and neither does a log without an end', () => {
    const book = new AttemptBook();
    book.observe(status('a', 3));
    book.confirm('a', 1_000_000);
    book.confirmLog('a', 100);
    book.observe(status('a', 5, { logEnd: 50 }));
    book.confirm('a', 4);
    expect(book.takeSettled()).toEqual([]);
  });

  test('it counts in the digest until its end is confirmed', () => {
    const book = new AttemptBook();
    const empty = book.digest();
    book.observe(status('a', 3));
    const live = book.digest();
    book.observe(status('a', 5, { logEnd: 100 }));
    expect(book.digest()).toEqual(live);
    book.confirm('a', 5);
    expect(book.digest()).toEqual(empty);
    expect(live).not.toEqual(empty);
  });

  test('one that was refused is not the supervisor’s to forget', () => {
    const book = new AttemptBook();
    book.observe(status('a', 1, { state: 'killed' }), { refused: true });
    book.confirm('a', 1);
    expect(book.takeSettled()).toEqual([{ attemptId: 'a', supervised: false }]);
  });
});

test('what was not confirmed is sent again: all of it on a new connection, else only what is old', () => {
  const book = new AttemptBook();
  for (const id of ['a', 'b', 'c']) book.observe(status(id, 1));
  expect(book.takeUnsent(2, 10).map(({ attemptId }) => attemptId)).toEqual(['a', 'b']);
  expect(book.takeUnsent(2, 20).map(({ attemptId }) => attemptId)).toEqual(['c']);
  book.confirm('a', 1);
  book.resendUnconfirmed(10);
  expect(book.takeUnsent(9, 30).map(({ attemptId }) => attemptId)).toEqual(['b']);
  book.resendUnconfirmed();
  expect(book.takeUnsent(9, 40).map(({ attemptId }) => attemptId)).toEqual(['b', 'c']);
});

type Step =
  | { kind: 'advance'; attempt: number }
  | { kind: 'late'; attempt: number }
  | { kind: 'send'; limit: number }
  | { kind: 'deliver' | 'lose' | 'repeat' | 'reconnect' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('advance' as const), attempt: fc.nat(4) }),
  fc.record({ kind: fc.constant('late' as const), attempt: fc.nat(4) }),
  fc.record({ kind: fc.constant('send' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: fc.constantFrom('deliver' as const, 'lose' as const, 'repeat' as const, 'reconnect' as const),
  }),
);

test('through any losses, repetitions and reconnections the gateway ends with the truth and the book with nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.nat(), (steps, seed) => {
      const book = new AttemptBook();
      const truth = new Map<string, AttemptStatus>();
      const gateway = new Map<string, AttemptStatus>();
      const random = seededRandom(seed);
      let reports: AttemptStatus[] = [];
      const forgotten = new Set<string>();
      const settle = (): void => {
        for (const { attemptId } of book.takeSettled()) {
          // Nothing is forgotten that the gateway does not hold.
          expect(gateway.get(attemptId)).toEqual(truth.get(attemptId));
          forgotten.add(attemptId);
        }
      };
      const deliver = (report: AttemptStatus): void => {
        const known = gateway.get(report.attemptId);
        if (!known || known.revision < report.revision) gateway.set(report.attemptId, report);
        book.confirm(report.attemptId, report.revision);
        settle();
      };
      const advance = (id: string): void => {
        const next = (truth.get(id)?.revision ?? 0) + 1;
        if (next > LIFE.length) return;
        truth.set(id, status(id, next));
        book.observe(status(id, next));
      };
      for (const each of steps) {
        if (each.kind === 'advance') advance(`a${each.attempt}`);
        if (each.kind === 'late') book.observe(status(`a${each.attempt}`, 1));
        if (each.kind === 'late' && !truth.has(`a${each.attempt}`))
          truth.set(`a${each.attempt}`, status(`a${each.attempt}`, 1));
        if (each.kind === 'send') reports.push(...book.takeUnsent(each.limit, 0));
        if (each.kind === 'lose') reports.splice(Math.floor(random.fraction() * reports.length), 1);
        if (each.kind === 'repeat') reports.push(...reports.slice(0, 1));
        if (each.kind === 'reconnect') {
          reports = [];
          book.resendUnconfirmed();
        }
        if (each.kind === 'deliver') {
          const [report] = reports.splice(Math.floor(random.fraction() * reports.length), 1);
          if (report) deliver(report);
        }
      }
      for (const id of truth.keys()) for (let left = LIFE.length; left > 0; left -= 1) advance(id);
      for (let round = 0; round < 3; round += 1) {
        book.resendUnconfirmed();
        for (const report of book.takeUnsent(100, 0)) deliver(report);
      }
      expect([...gateway.values()].every(({ state }) => isTerminal(state))).toBe(true);
      expect(new Set(gateway.keys())).toEqual(new Set(truth.keys()));
      expect([book.size, forgotten.size]).toEqual([0, truth.size]);
    }),
    { numRuns: 300 },
  );
});
