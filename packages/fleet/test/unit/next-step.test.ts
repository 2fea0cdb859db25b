// Shows what follows the end of an attempt: which policy begins it anew, after which delay, what that spends,
// and that no random history spends more than was asked for or takes an unproven end for a proven one.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  END_REASONS,
  RETRY_POLICIES,
  workloadSpecSchema,
  type WorkloadSpecInput,
} from '@clawbernetes/protocol';
import type { AttemptRecord, WorkloadRecord } from '../../src/index.ts';
import { delayBefore, isProvenEnded, nextStep, type NextStep } from '../../src/workload/policy/next-step.ts';

const CONTEXT = { nowMs: 1_000_000, nodeIsLeft: false, maxMoves: 100 };
const evicted = { cause: 'user', message: 'drained' } as const;

function workload(spec: Partial<WorkloadSpecInput>, more: Partial<WorkloadRecord> = {}): WorkloadRecord {
  return {
    ...{ id: 'wl-1', namespace: 'default', name: 'train', state: 'running', submittedAtMs: 0 },
    ...{ stopRequested: false, attempts: 1 },
    spec: workloadSpecSchema.parse({ command: ['true'], ...spec }),
    ...more,
  };
}

function attempt(more: Partial<AttemptRecord>): AttemptRecord {
  return {
    ...{ id: 'at-1', workloadId: 'wl-1', namespace: 'default', number: 1, nodeId: 'node-a', devices: [] },
    ...{ cpuMilli: 1, memoryMib: 1, epoch: { term: 1, counter: 1 }, revision: 3, placedAtMs: 0, logEnd: 0 },
    ...{ limitations: [], state: 'exited' },
    ...more,
  };
}

function told(next: NextStep): string {
  if (next.step === 'begin') return next.anew.policy;
  return next.because === undefined ? 'end' : `end: ${next.policy ?? 'move'} ${next.because}`;
}

const ALL = { restart: { attempts: 1 }, reschedule: { attempts: 1 }, replace: { attempts: 1 } };
const SPENT = { spent: 1, inARow: 1 };
const FAILED = { state: 'exited', exitCode: 1 } as const;
const GOOD = { state: 'exited', exitCode: 0 } as const;

describe('what follows an end', () => {
  test.each<[string, Partial<WorkloadSpecInput>, Partial<AttemptRecord>, Partial<WorkloadRecord>, string]>([
    ['a failure without a policy', {}, FAILED, {}, 'end'],
    ['a good end', ALL, GOOD, {}, 'end'],
    ['a failure', ALL, FAILED, {}, 'restart'],
    ['a signal of its own', ALL, { state: 'killed', signal: 'SIGSEGV' }, {}, 'restart'],
    ['too much memory', ALL, { state: 'killed', endReason: 'out-of-memory' }, {}, 'restart'],
    ['a program that is not there', ALL, { state: 'killed', endReason: 'command-not-found' }, {}, 'restart'],
    ['a failure after all restarts', ALL, FAILED, { tries: { restart: SPENT } }, 'reschedule'],
    [
      'a failure after all of both',
      ALL,
      FAILED,
      { tries: { restart: SPENT, reschedule: SPENT } },
      'end: reschedule used-up',
    ],
    ['the time limit', ALL, { state: 'killed', endReason: 'timeout' }, {}, 'end'],
    [
      'the time limit of one that always restarts',
      { restart: { attempts: 1, on: 'always' } },
      { state: 'killed', endReason: 'timeout' },
      {},
      'end',
    ],
    [
      'a good end of one that always restarts',
      { restart: { attempts: 2, on: 'always' } },
      GOOD,
      {},
      'restart',
    ],
    [
      'a good end of one that always restarts, after all of them',
      { restart: { attempts: 1, on: 'always' }, reschedule: { attempts: 1 } },
      GOOD,
      { tries: { restart: SPENT } },
      'end: restart used-up',
    ],
    ['a lost attempt', ALL, { state: 'lost' }, {}, 'replace'],
    ['a lost attempt without replacements', { restart: { attempts: 5 } }, { state: 'lost' }, {}, 'end'],
    ['a restart of the machine', ALL, { state: 'killed', endReason: 'node-restarted' }, {}, 'replace'],
    ['a death of the supervisor', ALL, { state: 'killed', endReason: 'supervisor-lost' }, {}, 'replace'],
    ['a shutdown of the machine', ALL, { state: 'killed', endReason: 'stopped' }, {}, 'replace'],
    ['a node without contact', ALL, { state: 'killed', endReason: 'disconnected' }, {}, 'replace'],
    [
      'a container engine that is gone',
      ALL,
      { state: 'killed', endReason: 'executor-unavailable' },
      {},
      'replace',
    ],
    ['a stop', ALL, FAILED, { stopRequested: true }, 'end'],
    ['an eviction', ALL, { state: 'killed', endReason: 'stopped', evicted }, {}, 'move'],
    ['an eviction that ends it', { reschedule: { evicted: 'end' } }, { ...FAILED, evicted }, {}, 'end'],
    ['an eviction too many', {}, { ...FAILED, evicted }, { moves: 100 }, 'end'],
    ['a good end while it is evicted', ALL, { ...GOOD, evicted }, {}, 'end'],
    [
      'a good end while a service is evicted',
      { restart: { attempts: 9, on: 'always' } },
      { ...GOOD, evicted },
      {},
      'move',
    ],
    [
      'a failure of one bound to its node',
      ALL,
      FAILED,
      { nodeId: 'node-a', tries: { restart: SPENT } },
      'end: restart used-up',
    ],
    ['a lost one bound to its node', ALL, { state: 'lost' }, { nodeId: 'node-a' }, 'end'],
    ['a loss of exclusive work', { ...ALL, exclusive: true }, { state: 'lost' }, {}, 'end: replace unproven'],
    [
      'a fenced loss of exclusive work',
      { ...ALL, exclusive: true },
      { state: 'lost', fenced: true },
      {},
      'replace',
    ],
    ['an eviction of exclusive work', { exclusive: true }, { state: 'killed', evicted }, {}, 'move'],
    [
      'exclusive work lost while evicted',
      { exclusive: true },
      { state: 'lost', evicted },
      {},
      'end: move unproven',
    ],
  ])('%s', (_, spec, end, record, expected) => {
    expect(told(nextStep(workload(spec, record), attempt(end), CONTEXT))).toBe(expected);
  });

  test('a restart goes to its node, after a delay; where work is taken off that node it may go anywhere', () => {
    const asked = workload({ restart: { attempts: 5, delayMs: 700 } });
    expect(nextStep(asked, attempt(FAILED), CONTEXT)).toEqual({
      step: 'begin',
      anew: { policy: 'restart', formerNodeId: 'node-a', delayMs: 700, notBeforeMs: 1_000_700 },
      tries: { restart: { spent: 1, inARow: 1 } },
    });
    const left = { ...CONTEXT, nodeIsLeft: true };
    expect(nextStep(asked, attempt(FAILED), left)).toMatchObject({
      anew: { policy: 'restart', anywhere: true },
    });
    const ending = workload({ restart: { attempts: 5 }, reschedule: { evicted: 'end' } });
    expect(told(nextStep(ending, attempt(FAILED), left))).toBe('end');
  });

  test('delays double up to the longest, and begin anew after a run that lasted', () => {
    const limits = { delayMs: 1000, maxDelayMs: 10_000 };
    expect([1, 2, 3, 4, 5, 999].map((inARow) => delayBefore(limits, inARow))).toEqual([
      1000, 2000, 4000, 8000, 10_000, 10_000,
    ]);
    expect(delayBefore({ delayMs: 0, maxDelayMs: 10_000 }, 1000)).toBe(0);
    const asked = workload(
      { restart: { attempts: 99, ...limits } },
      { tries: { restart: { spent: 7, inARow: 7 } } },
    );
    const ran = (ms: number): NextStep =>
      nextStep(asked, attempt({ ...FAILED, startedAtMs: 0, finishedAtMs: ms }), CONTEXT);
    expect(ran(19_999)).toMatchObject({
      anew: { delayMs: 10_000 },
      tries: { restart: { spent: 8, inARow: 8 } },
    });
    expect(ran(20_000)).toMatchObject({
      anew: { delayMs: 1000 },
      tries: { restart: { spent: 8, inARow: 1 } },
    });
  });
});

const limitsArbitrary = fc.record({
  attempts: fc.nat(4),
  delayMs: fc.nat(5000),
  maxDelayMs: fc.nat(20_000),
});
const specArbitrary = fc.record(
  {
    restart: fc
      .tuple(limitsArbitrary, fc.constantFrom('failure' as const, 'always' as const))
      .map(([limits, on]) => ({ ...limits, on })),
    reschedule: limitsArbitrary,
    replace: limitsArbitrary,
    exclusive: fc.boolean(),
  },
  { requiredKeys: [] },
);
const endArbitrary = fc.record(
  {
    state: fc.constantFrom('exited', 'killed', 'lost'),
    exitCode: fc.nat(3),
    endReason: fc.constantFrom(...END_REASONS),
    evicted: fc.constant(evicted),
    fenced: fc.boolean(),
    finishedAtMs: fc.nat(60_000),
    startedAtMs: fc.constant(0),
  },
  { requiredKeys: ['state'] },
);

test('over any history each policy spends its own budget only, one at a time, and never more than it has', () => {
  fc.assert(
    fc.property(specArbitrary, fc.array(endArbitrary, { maxLength: 30 }), (spec, ends) => {
      let record = workload(spec);
      for (const [index, end] of ends.entries()) {
        const ended = attempt({ ...end, number: index + 1 });
        const next = nextStep(record, ended, CONTEXT);
        if (next.step === 'end') return;
        const { policy, delayMs, notBeforeMs } = next.anew;
        if (spec.exclusive) expect(isProvenEnded(ended)).toBe(true);
        for (const each of RETRY_POLICIES) {
          const [before, after] = [
            record.tries?.[each]?.spent ?? 0,
            (next.tries ?? record.tries)?.[each]?.spent ?? 0,
          ];
          expect(after - before).toBe(each === policy ? 1 : 0);
          expect(after).toBeLessThanOrEqual(spec[each]?.attempts ?? 0);
        }
        expect(delayMs).toBeLessThanOrEqual(policy === 'move' ? 0 : (spec[policy]?.maxDelayMs ?? 0));
        expect(notBeforeMs).toBe(CONTEXT.nowMs + delayMs);
        const moves = (record.moves ?? 0) + (policy === 'move' ? 1 : 0);
        record = { ...record, moves, ...(next.tries ? { tries: next.tries } : {}), attempts: index + 2 };
      }
    }),
  );
});
