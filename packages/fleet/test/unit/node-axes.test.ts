// Shows every transition of a node's three axes and of a GPU's condition, and that there are no others.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterSilence, type Connectivity } from '../../src/node/connectivity.ts';
import { afterAct, ELIGIBILITY_ACTS, type Eligibility } from '../../src/node/eligibility.ts';
import {
  afterFinding,
  afterRelease,
  afterTime,
  gradeFaults,
  isOutOfUse,
  movesWork,
  type GpuCondition,
  type GpuFinding,
} from '../../src/node/gpu-condition.ts';
import { afterReading, isStuck, type GpuMemory } from '../../src/node/gpu-cleaning.ts';
import { inventory } from './fleet-fixture.ts';
import type { GpuFault } from '@clawbernetes/protocol';
import { present } from '@clawbernetes/kernel';

const LIMITS = { suspectAfterMs: 20_000, leaseMs: 30_000, lostAfterMs: 300_000 };

describe('connectivity', () => {
  const reached: readonly (readonly [number, Connectivity])[] = [
    [0, 'connected'],
    [19_999, 'connected'],
    [20_000, 'suspect'],
    [29_999, 'suspect'],
    [30_000, 'disconnected'],
    [299_999, 'disconnected'],
    [300_000, 'lost'],
  ];
  const order: readonly Connectivity[] = ['connected', 'suspect', 'disconnected', 'lost'];

  test.each(reached)(
    'after %d ms of silence a node is %s, or quieter if it was before',
    (silenceMs, after) => {
      for (const before of order) {
        const quieter = order.indexOf(before) > order.indexOf(after) ? before : after;
        expect(afterSilence(before, silenceMs, LIMITS, { mayLose: true })).toBe(quieter);
      }
    },
  );

  test('nothing becomes lost while the gateway suspects itself', () => {
    expect(afterSilence('suspect', 1e9, LIMITS, { mayLose: false })).toBe('disconnected');
    expect(afterSilence('lost', 1e9, LIMITS, { mayLose: false })).toBe('lost');
  });
});

describe('eligibility', () => {
  /**
   * By state: what each of approve, verified, cordon, uncordon, drain, emptied, retire, abandon leads to; – =
   * refused.
   */
  const TABLE: Record<Eligibility, string> = {
    joining: 'verifying – – – – – retired retired',
    verifying: 'verifying schedulable cordoned – draining – – retired',
    schedulable: 'schedulable – cordoned schedulable draining – – retired',
    cordoned: 'cordoned – cordoned schedulable draining – – retired',
    draining: 'draining – cordoned schedulable draining drained – retired',
    drained: 'drained – drained schedulable drained drained retired retired',
    retired: 'verifying – – – – – retired retired',
  };

  test.each(Object.entries(TABLE))('%s', (before, row) => {
    const after = ELIGIBILITY_ACTS.map((act) => afterAct(before as Eligibility, act) ?? '–');
    expect(after.join(' ')).toBe(row);
  });
});

describe('the condition of a GPU', () => {
  const gpu = present(inventory('n', 1).gpus[0], 'a GPU');
  const policy = { actions: {}, probationMs: 600_000 };
  const xid79: GpuFault = { key: 'xid-79@1', kind: 'xid', code: 79, action: 'drain-reboot', message: 'off' };
  const xid48: GpuFault = { key: 'xid-48@2', kind: 'xid', code: 48, action: 'reset-gpu', message: 'ecc' };
  const xid31: GpuFault = { key: 'xid-31@3', kind: 'xid', code: 31, action: 'restart-app', message: 'page' };
  const found = (...faults: readonly GpuFault[]): GpuFinding => ({
    device: gpu,
    known: gpu,
    faults,
    certain: true,
  });
  const gone: GpuFinding = { ...found(), device: undefined };

  const BEFORE = {
    healthy: undefined,
    quarantined: present(afterFinding(undefined, found(xid79), policy, 1), 'a quarantine'),
    missing: present(afterFinding(undefined, gone, policy, 1), 'a missing GPU'),
    probation: {
      ...{ state: 'probation', kind: 'xid', action: 'reset-gpu', message: 'it was', sinceMs: 1 },
      ...{ untilMs: 600_001, keys: [] },
    },
    released: {
      ...{ state: 'released', kind: 'xid', action: 'drain-reboot', message: 'off', sinceMs: 1 },
      keys: ['xid-79@1'],
    },
  } satisfies Record<string, GpuCondition | undefined>;
  const EVENTS = {
    'no fault': (before: GpuCondition | undefined) => afterFinding(before, found(), policy, 2),
    'the same fault': (before: GpuCondition | undefined) => afterFinding(before, found(xid79), policy, 2),
    'a new fault': (before: GpuCondition | undefined) => afterFinding(before, found(xid79, xid48), policy, 2),
    'a harmless fault': (before: GpuCondition | undefined) => afterFinding(before, found(xid31), policy, 2),
    gone: (before: GpuCondition | undefined) => afterFinding(before, gone, policy, 2),
    'time, too little': (before: GpuCondition | undefined) => before && afterTime(before, 600_000),
    'time, enough': (before: GpuCondition | undefined) => before && afterTime(before, 600_001),
    release: (before: GpuCondition | undefined) => afterRelease(before, 2),
  };
  const TABLE: Record<keyof typeof EVENTS, Record<keyof typeof BEFORE, string>> = {
    'no fault': row('healthy', 'probation', 'probation', 'probation', 'healthy'),
    'the same fault': row('quarantined', 'quarantined', 'quarantined', 'quarantined', 'released'),
    'a new fault': row('quarantined', 'quarantined', 'quarantined', 'quarantined', 'quarantined'),
    'a harmless fault': row('healthy', 'probation', 'probation', 'probation', 'healthy'),
    gone: row('missing', 'missing', 'missing', 'missing', 'missing'),
    'time, too little': row('healthy', 'quarantined', 'missing', 'probation', 'released'),
    'time, enough': row('healthy', 'quarantined', 'missing', 'healthy', 'released'),
    release: row('refused', 'released', 'healthy', 'healthy', 'refused'),
  };

  function row(
    healthy: string,
    quarantined: string,
    missing: string,
    probation: string,
    released: string,
  ): Record<keyof typeof BEFORE, string> {
    return { healthy, quarantined, missing, probation, released };
  }

  const cases = Object.entries(TABLE).flatMap(([event, afters]) =>
    Object.entries(afters).map(([before, after]) => [before, event, after] as const),
  );
  test.each(cases)('%s, then %s: %s', (before, event, after) => {
    const next = EVENTS[event as keyof typeof EVENTS](BEFORE[before as keyof typeof BEFORE]);
    expect(next === 'refused' ? next : (next?.state ?? 'healthy')).toBe(after);
  });

  test('a quarantine lasts from its first fault, and counts all that it has', () => {
    const later = afterFinding(BEFORE.quarantined, found(xid79, xid48), policy, 50);
    expect(later).toMatchObject({ sinceMs: 1, keys: ['xid-79@1', 'xid-48@2'], action: 'drain-reboot' });
  });

  test('a fleet decides for itself what a fault calls for', () => {
    const lenient = { ...policy, actions: { 'xid-79': 'ignore' as const } };
    expect(afterFinding(undefined, found(xid79), lenient, 1)).toBeUndefined();
    const strict = { ...policy, actions: { xid: 'replace' as const } };
    expect(afterFinding(undefined, found(xid31), strict, 1)).toMatchObject({ action: 'replace' });
    expect(gradeFaults([xid31, xid48, xid79], policy).map(({ code }) => code)).toEqual([79, 48, 31]);
  });

  test('work is moved only where the fault is certain', () => {
    expect(movesWork(BEFORE.quarantined)).toBe(true);
    expect(movesWork(BEFORE.missing)).toBe(true);
    expect(movesWork(BEFORE.probation)).toBe(false);
    const unsure = present(afterFinding(undefined, { ...gone, certain: false }, policy, 1), 'a condition');
    expect(unsure).toMatchObject({ state: 'missing', kind: 'driver' });
    expect(movesWork(unsure)).toBe(false);
    expect(afterFinding(unsure, gone, policy, 2)).toMatchObject({ state: 'missing', kind: 'missing' });
  });

  test('no chain of events leaves a GPU out of use for good, or in use with a grave fault', () => {
    const events = fc.constantFrom(...(Object.keys(EVENTS) as (keyof typeof EVENTS)[]));
    fc.assert(
      fc.property(fc.array(events, { maxLength: 20 }), (chain) => {
        let now: GpuCondition | undefined;
        for (const event of chain) {
          const next = EVENTS[event](now);
          if (next !== 'refused') now = next;
        }
        const faulty = afterFinding(now, found(xid48), policy, 2);
        expect(isOutOfUse(faulty) || now?.keys.includes(xid48.key)).toBe(true);
        const clear = afterFinding(faulty, found(), policy, 2);
        const after = clear && afterTime(clear, 2 + policy.probationMs);
        expect(isOutOfUse(after)).toBe(false);
      }),
    );
  });
});

describe('cleaning', () => {
  const MEMORY: Record<string, GpuMemory | undefined> = {
    unknown: undefined,
    idle: { idleMib: 400, wasHeld: false },
    held: { idleMib: 400, wasHeld: true },
    'held, never seen idle': { wasHeld: true },
    cleaning: { idleMib: 400, wasHeld: true, cleaningSinceMs: 5 },
  };
  const full = { usedMib: 913, held: false, nowMs: 9 };
  const back = { ...full, usedMib: 912 };
  const driver = { ...full, usedMib: 1536 };

  test.each([
    ['unknown', full, 'idle'],
    ['idle', full, 'idle'],
    ['idle', { ...full, held: true }, 'held'],
    ['held', { ...full, held: true }, 'held'],
    ['held', full, 'cleaning since 9'],
    ['held', back, 'idle'],
    ['held, never seen idle', driver, 'idle'],
    ['held, never seen idle', { ...driver, usedMib: 1537 }, 'cleaning since 9'],
    ['cleaning', full, 'cleaning since 5'],
    ['cleaning', back, 'idle'],
    ['cleaning', { ...full, held: true }, 'held'],
  ] as const)('%s, then %j: %s', (before, reading, after) => {
    const { cleaningSinceMs, wasHeld } = afterReading(MEMORY[before], reading);
    const waiting = cleaningSinceMs === undefined ? 'held' : `cleaning since ${cleaningSinceMs}`;
    expect(wasHeld ? waiting : 'idle').toBe(after);
  });

  test('has an end', () => {
    const cleaning = present(MEMORY['cleaning'], 'a GPU that is cleaned');
    expect([isStuck(cleaning, 600_004), isStuck(cleaning, 600_005)]).toEqual([false, true]);
    expect(isStuck(present(MEMORY['held'], 'a held one'), 1e9)).toBe(false);
  });
});
