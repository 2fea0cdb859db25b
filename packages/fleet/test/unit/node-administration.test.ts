// Shows what people do to the work of a node: where it may not go, when it must leave, that it begins anew
// elsewhere only after its end is proven, and that all of it survives a crash.
import { beforeEach, describe, expect, test } from 'vitest';
import type { AttemptRecord, WorkloadRecord } from '../../src/index.ts';
import { codeOf, FleetFixture } from './fleet-fixture.ts';
import { passTime, startRunning, waitingMessage, type Spec } from './running-work.ts';

const MINUTE = 60_000;

let fixture: FleetFixture;
beforeEach(async () => {
  fixture = await FleetFixture.open();
});

const administration = (): FleetFixture['fleet']['administration'] => fixture.fleet.administration;
const node = (name: string): ReturnType<FleetFixture['fleet']['node']> => fixture.fleet.node(name);
const running = (spec: Spec = {}): Promise<WorkloadRecord> => startRunning(fixture, spec);
const pass = (ms: number, ...names: readonly string[]): Promise<void> => passTime(fixture, ms, names);
const whyWaiting = (workload: WorkloadRecord): string => waitingMessage(fixture, workload);

function stopsOf(attempt: AttemptRecord): number {
  return fixture.orders.filter(({ order }) => order.kind === 'stop' && order.attemptId === attempt.id).length;
}

describe('cordon and drain', () => {
  test('a cordoned node keeps its work, gets no more, and says so', async () => {
    fixture.join('a');
    const first = await running();
    administration().cordon(node('a'));
    const second = fixture.submit();
    await fixture.settle();
    expect([fixture.state(first), fixture.state(second)]).toEqual(['running', 'queued']);
    expect(whyWaiting(second)).toContain('clawbernetes node uncordon a');
    administration().uncordon(node('a'));
    await fixture.settle();
    expect(fixture.state(second)).toBe('reserved');
  });

  test('at the deadline what still runs is stopped, and begins anew elsewhere once its end is proven', async () => {
    fixture.join('a');
    const workload = await running();
    const [attempt] = [fixture.attemptOf(workload)];
    fixture.join('b');
    administration().drain(node('a'), { deadlineMs: 5 * MINUTE });
    await pass(5 * MINUTE - 1000, 'a', 'b');
    expect([fixture.state(workload), stopsOf(attempt)]).toEqual(['running', 0]);
    await pass(2000, 'a', 'b');
    expect([fixture.state(workload), stopsOf(attempt)]).toEqual(['stopping', 1]);
    expect(node('a').eligibility).toBe('draining');
    fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 2, signal: 'SIGTERM' });
    await fixture.settle(1000);
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-b', number: 2, state: 'placed' });
    expect(fixture.fleet.workloadView(workload)).toMatchObject({ state: 'reserved', moves: 1 });
    expect(fixture.ended).toEqual([]);
    expect(node('a').eligibility).toBe('drained');
  });

  test('an order to stop that was lost is repeated until the node follows it', async () => {
    const id = fixture.join('a');
    const workload = await running();
    fixture.fleet.intake.stop(fixture.fleet.workload('default', workload.id), false);
    await fixture.settle();
    const attempt = fixture.attemptOf(workload);
    expect(stopsOf(attempt)).toBe(1);
    fixture.fleet.reports.stopAgain(id);
    await fixture.settle();
    expect(stopsOf(attempt)).toBe(2);
    fixture.report(attempt, { state: 'stopping', revision: 2 });
    fixture.fleet.reports.stopAgain(id);
    await fixture.settle();
    expect(stopsOf(attempt)).toBe(2);
  });

  test('no more are moved at once than may', async () => {
    fixture.join('a');
    const workloads = [await running(), await running(), await running()];
    administration().drain(node('a'), { deadlineMs: 0, maxParallel: 2 });
    const states = (): string[] => workloads.map((workload) => fixture.state(workload));
    await pass(3000, 'a');
    expect(states()).toEqual(['stopping', 'stopping', 'running']);
    const [first] = workloads;
    if (first) fixture.report(fixture.attemptOf(first), { state: 'killed', revision: 2 });
    await pass(2000, 'a');
    expect(states()).toEqual(['queued', 'stopping', 'stopping']);
  });

  test('what comes to a good end in its last moments is done; what is bound to its node or wants to end, ends', async () => {
    const id = fixture.join('a');
    const good = await running();
    const ending = await running({ reschedule: { evicted: 'end' } });
    const bound = fixture.fleet.intake.submit({ namespace: 'default', spec: good.spec, nodeId: id });
    await fixture.settle();
    administration().drain(node('a'), { deadlineMs: 0 });
    await pass(2000, 'a');
    fixture.report(fixture.attemptOf(good), { state: 'exited', revision: 2, exitCode: 0 });
    for (const workload of [ending, bound])
      fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 2, signal: 'SIGTERM' });
    await fixture.settle();
    expect([good, ending, bound].map((workload) => fixture.state(workload))).toEqual([
      'succeeded',
      'failed',
      'failed',
    ]);
  });

  test('uncordon takes the drain back, not the moves under way', async () => {
    fixture.join('a');
    const workload = await running();
    administration().drain(node('a'), { deadlineMs: MINUTE });
    administration().uncordon(node('a'));
    await pass(5 * MINUTE, 'a');
    expect(fixture.state(workload)).toBe('running');
    administration().drain(node('a'), { deadlineMs: 0 });
    await pass(1000, 'a');
    administration().uncordon(node('a'));
    expect(fixture.state(workload)).toBe('stopping');
  });

  test('a wall clock that is set moves no deadline; a crash keeps it', async () => {
    fixture.join('a');
    const workload = await running();
    administration().drain(node('a'), { deadlineMs: 10 * MINUTE });
    await pass(1000, 'a');
    fixture.clock.jumpWallTime(60 * MINUTE);
    await pass(MINUTE, 'a');
    expect(fixture.state(workload)).toBe('running');
    fixture.clock.jumpWallTime(-60 * MINUTE);
    await fixture.crashAndReopen();
    fixture.connect('node-a');
    await pass(10 * MINUTE, 'a');
    expect(fixture.state(workload)).toBe('stopping');
  });

  test('a workload that waits after a move waits after a crash, too, and can be stopped', async () => {
    fixture.join('a');
    const workload = await running();
    const other = await running();
    administration().drain(node('a'), { deadlineMs: 0 });
    await pass(1000, 'a');
    for (const one of [workload, other])
      fixture.report(fixture.attemptOf(one), { state: 'killed', revision: 2 });
    await fixture.settle();
    await fixture.crashAndReopen();
    expect(fixture.state(workload)).toBe('queued');
    fixture.fleet.intake.stop(fixture.fleet.workload('default', other.id), false);
    expect(fixture.state(other)).toBe('cancelled');
    fixture.join('b');
    await fixture.settle();
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-b', number: 2 });
    expect(fixture.attemptOf(other).number).toBe(1);
  });

  test('on a node out of reach nothing begins anew before it is back', async () => {
    fixture.join('a');
    fixture.join('b');
    const workload = await running();
    const attempt = fixture.attemptOf(workload);
    const away = attempt.nodeId === 'node-a' ? 'a' : 'b';
    const near = away === 'a' ? 'b' : 'a';
    administration().drain(node(away), { deadlineMs: MINUTE });
    await pass(20 * MINUTE, near);
    expect(fixture.attemptOf(workload)).toMatchObject({ number: 1, unknownSinceMs: expect.any(Number) });
    fixture.orders.length = 0;
    fixture.fleet.registry.connected(`node-${away}`);
    fixture.fleet.reports.repair(`node-${away}`, [
      { ...listed(attempt), revision: 2, state: 'running', acceptedAtMs: 1 },
    ]);
    await fixture.settle();
    expect(stopsOf(attempt)).toBe(1);
  });

  test('what its node never heard of is not offered there any more, and begins on another once it says so', async () => {
    fixture.join('a');
    const workload = fixture.submit();
    await fixture.settle();
    const attempt = fixture.attemptOf(workload);
    fixture.fleet.registry.disconnected('node-a');
    fixture.join('b');
    administration().drain(node('a'), { deadlineMs: 0 });
    await pass(MINUTE, 'b');
    fixture.orders.length = 0;
    fixture.fleet.registry.connected('node-a');
    fixture.fleet.reports.offerAgain('node-a');
    fixture.fleet.reports.repair('node-a', []);
    await fixture.settle();
    expect(fixture.orders.map(({ order, nodeId }) => [order.kind, nodeId])).toEqual([['stop', 'node-a']]);
    fixture.report(attempt, { state: 'killed', reason: 'stopped', revision: 1 });
    await fixture.settle();
    expect(fixture.orders.filter(({ order }) => order.kind === 'start').map(({ nodeId }) => nodeId)).toEqual([
      'node-b',
    ]);
    expect(fixture.attemptOf(workload)).toMatchObject({ nodeId: 'node-b', number: 2 });
  });

  test('a workload that is taken off too often ends', async () => {
    fixture = await FleetFixture.open({ maxMoves: 1 });
    fixture.join('a');
    const workload = await running();
    for (let move = 1; move <= 2; move += 1) {
      administration().drain(node('a'), { deadlineMs: 0 });
      await pass(1000, 'a');
      fixture.report(fixture.attemptOf(workload), { state: 'killed', revision: 2 });
      await pass(1000, 'a');
      administration().uncordon(node('a'));
      await fixture.settle();
    }
    expect(fixture.state(workload)).toBe('failed');
    expect(fixture.attemptOf(workload).number).toBe(2);
  });

  test('only an empty node retires; a new approval admits it anew', async () => {
    fixture.join('a');
    const workload = await running();
    expect(codeOf(() => administration().retire(node('a')))).toBe('conflict');
    administration().drain(node('a'));
    expect(codeOf(() => administration().retire(node('a')))).toBe('conflict');
    fixture.report(fixture.attemptOf(workload), { state: 'exited', revision: 2, exitCode: 0 });
    await fixture.settle(1000);
    administration().retire(node('a'));
    await fixture.settle();
    await fixture.crashAndReopen();
    // It has no new token, only the key that it had.
    fixture.join('a', 0, {}, false);
    const waiting = fixture.submit();
    await fixture.settle();
    expect(fixture.state(waiting)).toBe('queued');
    expect(whyWaiting(waiting)).toContain('no nodes yet');
    fixture.fleet.registry.approve(node('a'));
    await fixture.settle();
    expect(fixture.state(waiting)).toBe('reserved');
  });
});

function listed(attempt: AttemptRecord): Parameters<FleetFixture['fleet']['reports']['repair']>[1][number] {
  const { id: attemptId, epoch } = attempt;
  return {
    ...{ attemptId, epoch, revision: 1, state: 'running', acceptedAtMs: 1, sandbox: 'none', logEnd: 0 },
    limitations: [],
  };
}

describe('labels, taints and affinity', () => {
  test('a label of people goes before one of the node; neither may be called node', async () => {
    fixture.join('a');
    fixture.fleet.registry.register({ ...node('a'), labels: { tier: 'mine' }, preApproved: false });
    fixture.connect('node-a');
    administration().label(node('a'), { set: { rack: 'r1', tier: 'spot' }, remove: [] });
    const wants = { affinity: { required: [{ label: 'rack', values: ['r1', 'r2'] }] } };
    const workload = fixture.submit(wants);
    await fixture.settle();
    expect(fixture.state(workload)).toBe('reserved');
    administration().label(node('a'), { set: {}, remove: ['rack'] });
    expect(fixture.fleet.nodeView(node('a')).labels).toEqual({ node: 'a', tier: 'spot' });
    const late = fixture.submit(wants);
    await fixture.settle();
    expect(whyWaiting(late)).toContain('rack in r1, r2');
    expect(codeOf(() => administration().label(node('a'), { set: { node: 'x' }, remove: [] }))).toBe(
      'conflict',
    );
    expect(codeOf(() => administration().label(node('a'), { set: {}, remove: ['rack'] }))).toBe('conflict');
  });

  test('a taint may go by its effect alone, and comes again with another value', () => {
    fixture.join('a');
    const add = (['no-schedule', 'no-execute'] as const).map((effect) => ({ key: 'k', value: '1', effect }));
    administration().taint(node('a'), { add, remove: [] });
    administration().taint(node('a'), { add: [], remove: [{ key: 'k', effect: 'no-execute' }] });
    administration().taint(node('a'), { add: [{ key: 'k', value: '2', effect: 'no-schedule' }], remove: [] });
    expect(fixture.fleet.nodeView(node('a')).taints).toEqual([
      { key: 'k', value: '2', effect: 'no-schedule' },
    ]);
    const remove = [{ key: 'k', effect: 'no-execute' as const }];
    expect(codeOf(() => administration().taint(node('a'), { add: [], remove }))).toBe('conflict');
  });

  test('labels and taints have their limits', () => {
    fixture.join('a');
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, '']));
    expect(codeOf(() => administration().label(node('a'), { set: many, remove: [] }))).toBe('conflict');
    const taints = Array.from({ length: 33 }, (_, index) => ({
      ...{ key: `k${index}`, value: '', effect: 'no-schedule' as const },
    }));
    expect(codeOf(() => administration().taint(node('a'), { add: taints, remove: [] }))).toBe('conflict');
  });

  test('a taint keeps away what does not tolerate it, which says why and waits for its end', async () => {
    fixture.join('a');
    administration().taint(node('a'), {
      add: [{ key: 'team', value: 'vision', effect: 'no-schedule' }],
      remove: [],
    });
    const [other, vision, audio] = [
      fixture.submit(),
      fixture.submit({ tolerations: [{ key: 'team', value: 'vision' }] }),
      fixture.submit({ tolerations: [{ key: 'team', value: 'audio' }] }),
    ];
    await fixture.settle();
    expect([other, vision, audio].map((one) => fixture.state(one))).toEqual(['queued', 'reserved', 'queued']);
    expect(whyWaiting(other)).toContain('a has team=vision:no-schedule');
    administration().taint(node('a'), { add: [], remove: [{ key: 'team' }] });
    await fixture.settle();
    expect([other, audio].map((one) => fixture.state(one))).toEqual(['reserved', 'reserved']);
  });

  test('no-execute moves what runs, prefer-no-schedule only what is new and only if there is another node', async () => {
    fixture.join('a');
    const [staying, leaving] = [await running({ tolerations: [{ key: 'repair' }] }), await running()];
    fixture.join('b');
    administration().taint(node('a'), {
      add: [{ key: 'repair', value: '', effect: 'no-execute' }],
      remove: [],
    });
    await pass(1000, 'a', 'b');
    expect([staying, leaving].map((one) => fixture.state(one))).toEqual(['running', 'stopping']);
    fixture.report(fixture.attemptOf(leaving), { state: 'killed', revision: 2 });
    await fixture.settle();
    expect(fixture.attemptOf(leaving).nodeId).toBe('node-b');
    administration().taint(node('b'), {
      add: [{ key: 'slow', value: '', effect: 'prefer-no-schedule' }],
      remove: [],
    });
    administration().taint(node('a'), { add: [], remove: [{ key: 'repair', effect: 'no-execute' }] });
    const preferring = fixture.submit();
    await fixture.settle();
    expect(fixture.attemptOf(preferring).nodeId).toBe('node-a');
    administration().cordon(node('a'));
    const taking = fixture.submit();
    await fixture.settle();
    expect(fixture.attemptOf(taking).nodeId).toBe('node-b');
  });
});

test.each([
  ['gang.topology.level', { gang: { members: 2, topology: { level: 'numa' } } }],
  ['gang with network none', { gang: { members: 2 }, network: 'none', env: { AT: '--rdzv_endpoint=a:1' } }],
] as const)('%s is refused as long as it is not honoured', (field, spec) => {
  fixture.join('a', 4);
  const attempt = (): unknown => fixture.submit(spec);
  expect(codeOf(attempt)).toBe('not-supported');
  expect(attempt).toThrow(field);
});
