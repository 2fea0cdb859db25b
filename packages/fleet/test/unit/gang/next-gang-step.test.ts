// Shows what follows a reservation of a gang that is over: which policy begins it anew, that whatever befell
// its members spends one try, never more than were asked for, and that unproven ends have no successor.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RETRY_POLICIES, workloadSpecSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import type { AttemptRecord, WorkloadRecord } from '../../../src/index.ts';
import type { GangRecord } from '../../../src/records.ts';
import { judgeGang, standingOf, type GangEnd } from '../../../src/workload/gang/judge-gang.ts';
import { mendOf } from '../../../src/workload/gang/mend-gang.ts';
import { nextGangStep, type GangStepContext } from '../../../src/workload/gang/next-gang-step.ts';
import { isProvenEnded, type NextStep } from '../../../src/workload/policy/next-step.ts';

const CONTEXT: GangStepContext = { nowMs: 1_000_000, placesAreLeft: false, maxMoves: 3, graceMs: 60_000 };
const GANG: GangRecord = {
  ...{ generation: 1, epoch: { term: 1, counter: 1 }, size: 3, level: 'node', masterPort: 29_500 },
  ...{ phase: 'releasing', sinceMs: 900_000, begunAtMs: 100_000 },
};
const ALL = {
  restart: { attempts: 2, delayMs: 1000 },
  reschedule: { attempts: 1 },
  replace: { attempts: 1 },
};

function workload(spec: Partial<WorkloadSpecInput>, more: Partial<WorkloadRecord> = {}): WorkloadRecord {
  return {
    ...{ id: 'wl-1', namespace: 'default', name: 'train', state: 'running', submittedAtMs: 0 },
    ...{ stopRequested: false, attempts: 3 },
    spec: workloadSpecSchema.parse({ command: ['true'], gang: { members: 3 }, ...spec }),
    gang: GANG,
    ...more,
  };
}

function member(rank: number, more: Partial<AttemptRecord>): AttemptRecord {
  return {
    ...{ id: `at-${rank}`, workloadId: 'wl-1', namespace: 'default', number: rank + 1, rank, generation: 1 },
    ...{ nodeId: `node-${rank}`, devices: [], cpuMilli: 1, memoryMib: 1, epoch: { term: 1, counter: 1 } },
    ...{ revision: 3, placedAtMs: 0, logEnd: 0, limitations: [], state: 'running', startedAtMs: 100_000 },
    ...more,
  };
}

const MESSAGE = 'its member of rank 1 failed';
const STOPPED: Partial<AttemptRecord> = {
  ...({ state: 'killed', endReason: 'stopped', finishedAtMs: 905_000 } as const),
  evicted: { cause: 'node', message: MESSAGE },
};
const FAILED = { state: 'exited', exitCode: 7, finishedAtMs: 900_000 } as const;
const GOOD = { state: 'exited', exitCode: 0, finishedAtMs: 900_000 } as const;
const LOST = { state: 'lost', finishedAtMs: 900_000 } as const;
const TIME_OUT = { state: 'killed', endReason: 'timeout', finishedAtMs: 900_000 } as const;
const SILENT = { unknownSinceMs: 800_000, evicted: { cause: 'node-loss', message: 'away' } } as const;
const SPENT = { spent: 1, inARow: 1 };

function told(step: NextStep): string {
  if (step.step === 'begin') return step.anew.policy;
  return step.because === undefined ? 'end' : `end: ${step.policy ?? 'move'} ${step.because}`;
}

/** Three members, the one of rank 1 as given. */
function around(one: Partial<AttemptRecord>, others: Partial<AttemptRecord> = STOPPED): AttemptRecord[] {
  return [member(0, others), member(1, one), member(2, others)];
}

describe('what follows', () => {
  test.each<[string, GangEnd, Partial<WorkloadSpecInput>, Partial<WorkloadRecord>, string]>([
    ['a failure without a policy', 'failure', {}, {}, 'end'],
    ['a failure', 'failure', ALL, {}, 'restart'],
    [
      'a failure after all restarts',
      'failure',
      ALL,
      { tries: { restart: { spent: 2, inARow: 2 } } },
      'reschedule',
    ],
    [
      'a failure after all of both',
      'failure',
      ALL,
      { tries: { restart: { spent: 2, inARow: 2 }, reschedule: SPENT } },
      'end: reschedule used-up',
    ],
    ['a good end', 'good', ALL, {}, 'end'],
    [
      'a good end of one that always restarts',
      'good',
      { restart: { attempts: 1, on: 'always' } },
      {},
      'restart',
    ],
    ['the time limit', 'time-limit', ALL, {}, 'end'],
    ['a loss without a policy', 'loss', {}, {}, 'move'],
    ['a loss without a policy, moved too often', 'loss', {}, { moves: 3 }, 'end'],
    ['a loss', 'loss', ALL, {}, 'replace'],
    ['a loss after all replacements', 'loss', ALL, { tries: { replace: SPENT } }, 'end: replace used-up'],
    ['a loss of one that is never replaced', 'loss', { replace: { attempts: 0 } }, {}, 'end'],
    [
      'a loss in the incident that was paid for',
      'loss',
      ALL,
      { tries: { replace: SPENT }, gang: { ...GANG, mendedAtMs: 890_000 } },
      'replace',
    ],
    [
      'a loss long after it',
      'loss',
      ALL,
      { tries: { replace: SPENT }, gang: { ...GANG, mendedAtMs: 800_000 } },
      'end: replace used-up',
    ],
    ['a move', 'move', ALL, {}, 'move'],
    ['a move of one that wants no other place', 'move', { reschedule: { evicted: 'end' } }, {}, 'end'],
    ['making room, however often it was moved', 'preempted', {}, { moves: 9 }, 'move'],
    ['an eviction that ends it', 'given-up', ALL, {}, 'end'],
  ])('%s', (_, end, spec, more, expected) => {
    const one = workload(spec, more);
    const members = around(end === 'loss' ? LOST : end === 'good' ? GOOD : FAILED);
    const facts = { workload: one, gang: one.gang ?? GANG, members, end };
    expect(told(nextGangStep(facts, CONTEXT))).toBe(expected);
  });

  test('what had not begun spends nothing when it is lost', () => {
    const { begunAtMs: _, ...gathering } = GANG;
    const facts = { workload: workload(ALL), gang: gathering, members: around(LOST), end: 'loss' as const };
    expect(told(nextGangStep(facts, CONTEXT))).toBe('move');
  });

  test('it names the node of the member that was the reason', () => {
    const facts = { workload: workload(ALL), gang: GANG, members: around(FAILED), end: 'failure' as const };
    expect(nextGangStep(facts, CONTEXT)).toMatchObject({
      anew: { policy: 'restart', formerNodeId: 'node-1', delayMs: 1000, notBeforeMs: 1_001_000 },
      tries: { restart: { spent: 1, inARow: 1 } },
    });
  });

  test('a restart whose nodes do not all take it again may go anywhere', () => {
    const facts = { workload: workload(ALL), gang: GANG, members: around(FAILED), end: 'failure' as const };
    expect(nextGangStep(facts, { ...CONTEXT, placesAreLeft: true })).toMatchObject({
      anew: { anywhere: true },
    });
  });

  test('a run of twice the longest delay makes delays begin anew', () => {
    const restart = { attempts: 9, delayMs: 1000, maxDelayMs: 10_000 };
    const tries = { restart: { spent: 4, inARow: 4 } };
    const delayAfter = (startedAtMs: number): unknown => {
      const members = around({ ...FAILED, startedAtMs }, { ...STOPPED, startedAtMs });
      const facts = {
        workload: workload({ restart }, { tries }),
        gang: GANG,
        members,
        end: 'failure' as const,
      };
      const step = nextGangStep(facts, CONTEXT);
      return step.step === 'begin' && step.anew.delayMs;
    };
    expect(delayAfter(890_000)).toBe(10_000);
    expect(delayAfter(880_000)).toBe(1000);
  });
});

describe('how a reservation was over', () => {
  const why = { next: 'end', cause: 'node', message: MESSAGE, hasFailed: true } as const;
  const releasing: GangRecord = { ...GANG, release: why };

  test.each<[string, Partial<AttemptRecord>, Partial<AttemptRecord>, boolean, string]>([
    ['a member that failed', FAILED, STOPPED, false, 'failure'],
    ['a time limit', TIME_OUT, STOPPED, false, 'time-limit'],
    ['a loss behind a failure', FAILED, LOST, false, 'loss'],
    ['silence behind a failure', FAILED, SILENT, false, 'loss'],
    ['silence behind a failure of exclusive work', FAILED, SILENT, true, 'stay'],
    [
      'a drain behind a failure',
      FAILED,
      { ...STOPPED, evicted: { cause: 'user', message: 'drained' } },
      false,
      'move',
    ],
    ['one that still runs', FAILED, {}, false, 'stay'],
    ['all well after all', GOOD, GOOD, false, 'good'],
  ])('%s', (_, one, others, exclusive, expected) => {
    const verdict = judgeGang({
      workload: workload({ exclusive }),
      gang: releasing,
      members: around(one, others),
    });
    expect(verdict.kind === 'over' ? verdict.end : verdict.kind).toBe(expected);
  });
});

const ends = fc.constantFrom<GangEnd>('good', 'failure', 'time-limit', 'loss', 'move', 'preempted');
const policy = fc.record({
  attempts: fc.nat(3),
  delayMs: fc.nat(5000),
  maxDelayMs: fc.integer({ min: 5000, max: 60_000 }),
});
const ended = fc.constantFrom<Partial<AttemptRecord>>(...[FAILED, GOOD, LOST, TIME_OUT, STOPPED], {
  ...LOST,
  fenced: true,
});

test('no history spends more than was asked for, nor more than one try for one incident', () => {
  fc.assert(
    fc.property(
      fc.record({ restart: policy, reschedule: policy, replace: policy }),
      fc.boolean(),
      fc.array(fc.tuple(ends, fc.array(ended, { minLength: 1, maxLength: 4 }), fc.boolean()), {
        maxLength: 30,
      }),
      (spec, exclusive, incidents) => {
        let one = workload({ ...spec, exclusive });
        for (const [end, states, placesAreLeft] of incidents) {
          const members = states.map((state, rank) => member(rank, state));
          const step = nextGangStep(
            { workload: one, gang: GANG, members, end },
            { ...CONTEXT, placesAreLeft },
          );
          if (step.step === 'end') continue;
          if (exclusive) expect(members.every(isProvenEnded)).toBe(true);
          const sum = (of: WorkloadRecord): number =>
            RETRY_POLICIES.reduce((all, name) => all + (of.tries?.[name]?.spent ?? 0), 0);
          const next = { ...one, ...(step.tries ? { tries: step.tries } : {}) };
          expect(sum(next) - sum(one)).toBe(step.anew.policy === 'move' ? 0 : 1);
          for (const name of RETRY_POLICIES)
            expect(next.tries?.[name]?.spent ?? 0).toBeLessThanOrEqual(spec[name].attempts);
          expect(step.anew.delayMs).toBeLessThanOrEqual(300_000);
          one = next;
        }
      },
    ),
    { numRuns: 500 },
  );
});

describe('members that are replaced while the others go on', () => {
  const KINDS: readonly Partial<AttemptRecord>[] = [
    {},
    LOST,
    { ...LOST, fenced: true },
    SILENT,
    { ...STOPPED, evicted: { cause: 'user', message: 'drained' } },
  ];

  /** All that can befall three members, told by a rule that is written down apart from the code. */
  function* histories(): Generator<readonly AttemptRecord[]> {
    for (const first of KINDS)
      for (const second of KINDS)
        for (const third of KINDS) yield [member(0, first), member(1, second), member(2, third)];
  }

  function mayReplace(one: AttemptRecord, exclusive: boolean, network: 'host' | 'none'): boolean {
    if (network === 'host' && one.rank === 0) return false;
    return !exclusive || one.state === 'killed' || one.state === 'exited' || one.fenced === true;
  }

  test.each([
    [false, 'host', 3],
    [true, 'host', 3],
    [true, 'host', 2],
    [false, 'none', 3],
    [true, 'none', 1],
  ] as const)(
    'exclusive %s, network %s, at least %i: every history of three',
    (exclusive, network, least) => {
      let mended = 0;
      for (const members of histories()) {
        const gone = members.filter((one) => standingOf(one) === 'gone');
        const one = workload({ exclusive, network, gang: { members: 3, minMembers: least } });
        const mend =
          gone.length > 0 ? mendOf(one, gone, { nowMs: 1, graceMs: 60_000, members: 3 }) : undefined;
        const able = gone.filter((each) => mayReplace(each, exclusive, network));
        const away = gone.filter((each) => !able.includes(each));
        const isPossible =
          able.length > 0 &&
          3 - away.length >= least &&
          (network === 'none' || away.every(({ rank }) => rank !== 0));
        expect(mend?.ranks).toEqual(isPossible ? able.map(({ rank }) => rank) : undefined);
        if (mend) mended += 1;
      }
      expect(mended).toBeGreaterThan(0);
    },
  );

  test('however many are lost, one try is spent; those that follow soon belong to it; then there is none', () => {
    const gone = [member(1, LOST), member(2, LOST)];
    const context = { nowMs: 1_000_000, graceMs: 60_000, members: 3 };
    const first = mendOf(workload({ replace: { attempts: 1 } }), gone, context);
    expect(first?.spent).toMatchObject({ tries: { replace: { spent: 1 } }, gang: { mendedAtMs: 1_000_000 } });
    const after = workload({ replace: { attempts: 1 } }, first?.spent);
    expect(mendOf(after, gone, { ...context, nowMs: 1_059_999 })?.spent).toEqual({});
    expect(mendOf(after, gone, { ...context, nowMs: 1_060_000 })).toBeUndefined();
    expect(mendOf(after, gone, { ...context, nowMs: 999_999 })).toBeUndefined();
  });

  test('a member that the fleet moves spends nothing', () => {
    const moved = member(1, { ...STOPPED, evicted: { cause: 'user', message: 'drained' } });
    const spent = mendOf(workload({ replace: { attempts: 0 } }), [moved], {
      ...{ nowMs: 1, graceMs: 1, members: 3 },
    });
    expect(spent).toEqual({ ranks: [1], spent: {} });
  });
});
