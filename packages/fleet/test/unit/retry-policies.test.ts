// Shows workloads that begin anew: where and when they do, what is told meanwhile, that they hold no GPUs,
// end at once when asked, and survive crashes of the gateway and jumps of its clock.
import { beforeEach, describe, expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { FleetFixture } from './fleet-fixture.ts';
import { passTime, startRunning, waitingMessage, type Spec } from './running-work.ts';

let fixture: FleetFixture;
beforeEach(async () => {
  fixture = await FleetFixture.open();
});

const running = (spec: Spec): Promise<WorkloadRecord> => startRunning(fixture, spec);
const pass = (ms: number, ...names: readonly string[]): Promise<void> => passTime(fixture, ms, names);
const numberOf = (workload: WorkloadRecord): number => fixture.attemptOf(workload).number;
const view = (workload: WorkloadRecord): ReturnType<FleetFixture['fleet']['workloadView']> =>
  fixture.fleet.workloadView(workload);

async function fails(workload: WorkloadRecord, exitCode = 3): Promise<void> {
  const attempt = fixture.attemptOf(workload);
  fixture.report(attempt, { state: 'exited', revision: attempt.revision + 1, exitCode });
  await fixture.settle();
}

const RESTART = { restart: { attempts: 2, delayMs: 8000 } };

describe('restart', () => {
  test('waits for its delay, holds nothing meanwhile, says so, and begins anew on its node', async () => {
    fixture.join('a', 2);
    fixture.join('b', 2);
    const workload = await running({ ...RESTART, resources: { gpus: 2 } });
    const { nodeId } = fixture.attemptOf(workload);
    await fails(workload);
    expect(view(workload)).toMatchObject({
      state: 'queued',
      waiting: { reason: 'delayed' },
      budgets: { restart: { attempts: 2, spent: 1 } },
      beginsAnew: { policy: 'restart', formerNode: nodeId.slice(-1) },
    });
    const former = fixture.fleet.node(nodeId);
    expect(waitingMessage(fixture, workload)).toBe(
      `It begins anew on ${former.name} in 8.0s (restart 1 of 2).`,
    );
    expect(fixture.fleet.nodeView(former).free.gpus).toBe(2);
    await pass(7000, 'a', 'b');
    expect(numberOf(workload)).toBe(1);
    await pass(1500, 'a', 'b');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 2, nodeId, state: 'placed' });
    expect(view(workload).beginsAnew).toBeUndefined();
  });

  test('ends when its tries are used up, and says that', async () => {
    fixture.join('a');
    const workload = await running(RESTART);
    for (const delayMs of [8000, 16_000]) {
      await fails(workload);
      await pass(delayMs + 100, 'a');
    }
    expect(numberOf(workload)).toBe(3);
    await fails(workload, 7);
    expect(view(workload)).toMatchObject({
      state: 'failed',
      exitCode: 7,
      budgets: { restart: { spent: 2 } },
    });
    const events = await fixture.fleet.events({ from: 0, limit: 100, subject: workload.id });
    expect(events.at(-1)?.message).toContain('Its restarts are used up (2).');
    expect(fixture.ended).toEqual([workload.id]);
  });

  test('waits for its node while that is away or full, with the reason, though another has room', async () => {
    fixture.join('a', 1);
    const workload = await running({ ...RESTART, resources: { gpus: 1 } });
    fixture.join('b', 1);
    await fails(workload);
    const other = fixture.submit({ resources: { gpus: 1 }, nodeSelector: { node: 'a' } });
    await fixture.settle();
    expect(fixture.attemptOf(other).nodeId).toBe('node-a');
    await pass(9000, 'a', 'b');
    expect(view(workload)).toMatchObject({ state: 'queued', waiting: { reason: 'waiting-for-capacity' } });
    expect(waitingMessage(fixture, workload)).toMatch(
      /^It begins anew on a \(restart 1 of 2\) as soon as it can\. /,
    );
    fixture.fleet.registry.disconnected('node-a');
    await fixture.settle();
    expect(view(workload).waiting).toMatchObject({ reason: 'no-nodes' });
    fixture.connect('node-a');
    fixture.fleet.intake.stop(other, false);
    fixture.report(fixture.attemptOf(other), { state: 'killed', revision: 1 });
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-a', number: 2 });
  });

  test('always: after a good end, too', async () => {
    fixture.join('a');
    const workload = await running({ restart: { attempts: 5, on: 'always', delayMs: 0 } });
    await fails(workload, 0);
    expect(numberOf(workload)).toBe(2);
  });

  test('a stop during the delay ends it at once', async () => {
    fixture.join('a');
    const workload = await running(RESTART);
    await fails(workload);
    fixture.fleet.intake.stop(fixture.fleet.workload('default', workload.id), false);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('cancelled');
    await pass(60_000, 'a');
    expect([fixture.state(workload), numberOf(workload)]).toEqual(['cancelled', 1]);
  });

  test('when its node is drained it may begin anew anywhere, or ends where that was asked for', async () => {
    fixture.join('a');
    const workload = await running(RESTART);
    const ending = await running({ ...RESTART, reschedule: { evicted: 'end' } });
    fixture.join('b');
    await fails(workload);
    await fails(ending);
    fixture.fleet.administration.drain(fixture.fleet.node('a'));
    await fixture.settle();
    expect([fixture.state(workload), fixture.state(ending)]).toEqual(['queued', 'failed']);
    expect(waitingMessage(fixture, workload)).toContain('since a takes no more');
    await pass(9000, 'b');
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-b', number: 2 });
  });
});

describe('a delay', () => {
  test('goes on over a crash, and no longer than it is though the clock went back', async () => {
    fixture.join('a');
    const workload = await running(RESTART);
    await fails(workload);
    await pass(3000, 'a');
    await fixture.crashAndReopen();
    fixture.connect('node-a');
    await pass(4000, 'a');
    expect([fixture.state(workload), numberOf(workload)]).toEqual(['queued', 1]);
    await pass(1500, 'a');
    expect(numberOf(workload)).toBe(2);
    fixture.report(fixture.attemptOf(workload), { state: 'running', revision: 1, startedAtMs: 5 });
    await fails(workload);
    fixture.clock.jumpWallTime(-3_600_000);
    await fixture.crashAndReopen();
    fixture.connect('node-a');
    await pass(15_000, 'a');
    expect(numberOf(workload)).toBe(2);
    await pass(1500, 'a');
    expect(numberOf(workload)).toBe(3);
  });

  test('is not moved by a clock that is set', async () => {
    fixture.join('a');
    const workload = await running(RESTART);
    await fails(workload);
    fixture.clock.jumpWallTime(3_600_000);
    await pass(7000, 'a');
    expect(numberOf(workload)).toBe(1);
    fixture.clock.jumpWallTime(-7_200_000);
    await pass(1500, 'a');
    expect(numberOf(workload)).toBe(2);
  });
});

describe('reschedule', () => {
  test('goes to another node, after the restarts, and waits rather than going back', async () => {
    fixture.join('a');
    const workload = await running({
      restart: { attempts: 1, delayMs: 0 },
      reschedule: { attempts: 1, delayMs: 0 },
    });
    await fails(workload);
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-a', number: 2 });
    await fails(workload);
    expect(view(workload)).toMatchObject({ state: 'queued', beginsAnew: { policy: 'reschedule' } });
    expect(waitingMessage(fixture, workload)).toContain('on another node than a (reschedule 1 of 1)');
    fixture.join('b');
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-b', number: 3 });
    expect(view(workload).budgets).toEqual({
      restart: { attempts: 1, spent: 1 },
      reschedule: { attempts: 1, spent: 1 },
    });
    await fails(workload);
    expect(fixture.state(workload)).toBe('failed');
  });
});

describe('replace', () => {
  const REPLACE = { replace: { attempts: 1, delayMs: 0 }, restart: { attempts: 1, delayMs: 0 } };

  test('follows when a node is back without it, and spends no restart', async () => {
    fixture.join('a');
    const workload = await running(REPLACE);
    fixture.join('b');
    fixture.fleet.reports.repair('node-a', []);
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-b', number: 2 });
    expect(view(workload).budgets).toMatchObject({ restart: { spent: 0 }, replace: { spent: 1 } });
  });

  test('goes to the same node where there is no other', async () => {
    fixture.join('a');
    const workload = await running(REPLACE);
    fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 2, reason: 'node-restarted' });
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-a', number: 2 });
  });

  test('does not follow while nothing is known', async () => {
    fixture.join('a');
    const workload = await running(REPLACE);
    fixture.join('b');
    await pass(400_000, 'b');
    expect(fixture.state(workload)).toBe('running');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 1, nodeId: 'node-a' });
  });
});

describe('a node that is gone', () => {
  const STOP = { onDisconnect: { action: 'stop' as const, afterMs: 60_000 }, stopGraceMs: 10_000 };
  /** (60 s + 10 s) × 1.1 + 10 s after the last contact. */
  const FENCE_MS = 87_000;
  const REPLACE = { replace: { attempts: 1, delayMs: 0 } };

  test('what must have stopped by itself is lost by then, not sooner, and replaced', async () => {
    fixture.join('a', 1);
    const workload = await running({ ...STOP, ...REPLACE, exclusive: true, resources: { gpus: 1 } });
    fixture.join('b', 1);
    await pass(40_000, 'a', 'b');
    fixture.fleet.registry.heard('node-a');
    fixture.fleet.registry.disconnected('node-a');
    await pass(FENCE_MS - 1000, 'b');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 1, state: 'running', nodeId: 'node-a' });
    expect(fixture.fleet.nodeView(fixture.fleet.node('a')).gpus[0]?.state).toBe('in-use');
    await pass(2000, 'b');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 2, nodeId: 'node-b' });
    expect(fixture.fleet.attemptViews(workload)[0]).toMatchObject({ state: 'lost', fenced: true });
    expect(fixture.fleet.nodeView(fixture.fleet.node('a')).gpus[0]?.state).toBe('free');
  });

  test('a gateway that is new counts from a lease after its start', async () => {
    fixture.join('a');
    const workload = await running({ ...STOP, ...REPLACE });
    await pass(50_000, 'a');
    await fixture.crashAndReopen();
    fixture.join('b');
    await pass(30_000 + FENCE_MS - 1000, 'b');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 1, state: 'running' });
    await pass(2000, 'b');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 2, nodeId: 'node-b' });
  });

  test('a node that says it stopped it for want of contact has it replaced', async () => {
    fixture.join('a');
    const workload = await running({ ...STOP, ...REPLACE });
    fixture.join('b');
    fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 2, reason: 'disconnected' });
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 2, nodeId: 'node-b' });
  });

  test('a person may say so: what ran there is replaced, exclusive work ends; what is still there is not given up', async () => {
    fixture.join('a');
    const workload = await running({ ...REPLACE, nodeSelector: {} });
    const exclusive = await running({ ...REPLACE, exclusive: true });
    fixture.join('b');
    const abandon = (): unknown => fixture.fleet.administration.abandon(fixture.fleet.node('a'));
    expect(abandon).toThrow('a is connected, so it cannot be given up as gone');
    await pass(31_000, 'b');
    abandon();
    await fixture.settle();
    expect(fixture.fleet.node('a').eligibility).toBe('retired');
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 2, nodeId: 'node-b' });
    expect([fixture.state(exclusive), numberOf(exclusive)]).toEqual(['failed', 1]);
    const events = await fixture.fleet.events({ from: 0, limit: 100, subject: exclusive.id });
    expect(events.at(-1)?.message).toContain('nothing proves that its former attempt has ended');
  });

  test('exclusive work is not given up by force, and says what helps instead', async () => {
    fixture.join('a');
    const workload = await running({ ...STOP, exclusive: true });
    await pass(31_000);
    const stop = (force: boolean): unknown =>
      fixture.fleet.intake.stop(fixture.fleet.workload('default', workload.id), force);
    expect(() => stop(true)).toThrow(/is exclusive .* or by itself in 1m 2\ds at the latest,/);
    expect(fixture.state(workload)).toBe('running');
    stop(false);
    expect(fixture.state(workload)).toBe('stopping');
    await pass(90_000);
    expect(fixture.state(workload)).toBe('cancelled');
  });

  test('nothing is given up by force on a node that is back and has yet to show what it runs', async () => {
    fixture.join('a', 1);
    const workload = await running({ resources: { gpus: 1 } });
    await pass(31_000);
    expect(fixture.attemptOf(workload)).toHaveProperty('unknownSinceMs');
    fixture.fleet.registry.connected('node-a');
    const before = fixture.orders.length;
    fixture.fleet.intake.stop(fixture.fleet.workload('default', workload.id), true);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('stopping');
    expect(fixture.orders.slice(before)).toMatchObject([{ order: { kind: 'stop', graceful: false } }]);
    expect(fixture.fleet.nodeView(fixture.fleet.node('a')).gpus[0]?.state).toBe('in-use');
    fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 2, reason: 'stopped' });
    await fixture.settle();
    expect(fixture.state(workload)).toBe('cancelled');
  });

  test('an exclusive offer that its node never answered is taken back by that node only', async () => {
    fixture.join('a');
    const workload = fixture.submit({ exclusive: true });
    await fixture.settle();
    fixture.join('b');
    fixture.fleet.administration.drain(fixture.fleet.node('a'), { deadlineMs: 0 });
    await pass(10_000, 'a', 'b');
    const before = fixture.orders.length;
    fixture.fleet.reports.repair('node-a', []);
    await fixture.settle();
    expect(fixture.orders.slice(before)).toMatchObject([{ order: { kind: 'stop' } }]);
    expect(numberOf(workload)).toBe(1);
    fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 1, reason: 'stopped' });
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 2, nodeId: 'node-b' });
  });

  test('who would stop for a moment’s silence is refused', () => {
    expect(() => fixture.submit({ onDisconnect: { action: 'stop', afterMs: 29_999 } })).toThrow(
      'at least 30.0s',
    );
  });
});
