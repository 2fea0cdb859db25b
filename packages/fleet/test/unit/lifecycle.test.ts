// Shows that an attempt only moves forward, whatever order, repetition or delay its node's reports arrive in.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_ATTEMPT_STATES, type AttemptStatus } from '@clawbernetes/protocol';
import type { AttemptRecord } from '../../src/index.ts';
import { afterReport, deriveState, isEnded, mayBecome } from '../../src/workload/lifecycle.ts';
import { status } from './fleet-fixture.ts';

const attempt: AttemptRecord = {
  ...{
    id: 'at-1',
    workloadId: 'wl-1',
    namespace: 'default',
    number: 1,
    nodeId: 'n',
    devices: [],
    limitations: [],
  },
  ...{ cpuMilli: 1, memoryMib: 1, epoch: { term: 1, counter: 1 }, revision: 0, placedAtMs: 0, logEnd: 0 },
  state: 'placed',
};

/** What one node may truly report, in its order: states that rise, revisions that rise, one end. */
const historyArbitrary = fc
  .tuple(
    fc.subarray(['accepted', 'preparing', 'ready', 'running', 'stopping'] as const),
    fc.constantFrom('exited', 'killed', 'lost'),
    fc.nat(255),
  )
  .map(([live, end, exitCode]): AttemptStatus[] => [
    ...live.map((state, index) => status(attempt, { state, revision: index + 1 })),
    status(attempt, {
      state: end,
      revision: live.length + 1,
      finishedAtMs: 9,
      ...(end === 'exited' ? { exitCode } : {}),
    }),
  ]);

const deliveryArbitrary = historyArbitrary.chain((history) =>
  fc.record({
    history: fc.constant(history),
    delivered: fc.array(fc.constantFrom(...history), { maxLength: 20 }),
  }),
);

test('reports in any order, repeated or late, only move an attempt forward and end where the newest says', () => {
  fc.assert(
    fc.property(deliveryArbitrary, ({ history, delivered }) => {
      let now = attempt;
      for (const report of delivered) {
        const next = afterReport(now, report);
        if (isEnded(now.state)) expect(next).toBeUndefined();
        if (!next) continue;
        expect(next.revision).toBeGreaterThan(now.revision);
        expect(next.state === now.state || mayBecome(now.state, next.state)).toBe(true);
        now = next;
      }
      const last = history.at(-1);
      if (last && delivered.includes(last))
        expect(now).toMatchObject({ state: last.state, revision: last.revision });
    }),
    { numRuns: 1000 },
  );
});

test('a report clears the unknown overlay, and the base state never changed under it', () => {
  const unknown = { ...attempt, state: 'running' as const, revision: 3, unknownSinceMs: 5 };
  const next = afterReport(unknown, status(attempt, { state: 'running', revision: 4 }));
  expect(next).toMatchObject({ state: 'running', revision: 4 });
  expect(next).not.toHaveProperty('unknownSinceMs');
});

test('a workload that was asked to stop counts as cancelled however it exits', () => {
  const workload = { stopRequested: true } as Parameters<typeof deriveState>[0];
  for (const state of NODE_ATTEMPT_STATES) {
    const derived = deriveState(workload, { ...attempt, state, exitCode: 0 });
    expect(derived).toBe(isEnded(state) ? 'cancelled' : 'stopping');
  }
  expect(deriveState(workload, undefined)).toBe('cancelled');
});
