// Shows who is placed on reserved capacity and when, what becomes of work that is in the way, and that all of
// it survives a kill.
import {
  reservationRequestSchema,
  type ReservationRequestInput,
  type ReservationView,
} from '@clawbernetes/protocol';
import { describe, expect, test } from 'vitest';
import { QueueFleet } from '../queues/queue-fleet.ts';

const MINUTE_MS = 60_000;

function reserve({ fleet }: QueueFleet, request: Partial<ReservationRequestInput>): ReservationView {
  const whole = { name: 'res', start: '+10m', durationMs: 10 * MINUTE_MS, ...request };
  return fleet.reservations.create(reservationRequestSchema.parse(whole));
}

async function openFleet(nodes: Readonly<Record<string, number>>): Promise<QueueFleet> {
  const fleet = await QueueFleet.open({ r: {}, 'r/x': {}, 'r/y': {}, s: {} });
  for (const [name, gpus] of Object.entries(nodes)) fleet.fixture.join(name, gpus);
  await fleet.settle();
  return fleet;
}

describe('GPUs that are reserved for a queue', () => {
  test('take only what ends before, then only its work, then all', async () => {
    const fleet = await openFleet({ a: 4 });
    reserve(fleet, { gpus: 3, queues: ['r'] });
    const endless = fleet.submit('s', 2);
    const early = fleet.submit('r/y', 2);
    const brief = fleet.submit('s', 3, { timeoutMs: 5 * MINUTE_MS });
    await fleet.settle(1000);
    expect(fleet.states(endless, early, brief)).toEqual(['queued', 'queued', 'reserved']);
    fleet.runAll();
    fleet.end(brief);
    await fleet.settle(6 * MINUTE_MS);
    const late = fleet.submit('s', 3, { timeoutMs: 5 * MINUTE_MS });
    await fleet.settle(1000);
    expect(fleet.states(late)).toEqual(['queued']);
    await fleet.settle(4 * MINUTE_MS);
    const below = fleet.submit('r/x', 1);
    await fleet.settle(2000);
    expect(fleet.states(endless, early, late, below)).toEqual(['queued', 'reserved', 'queued', 'reserved']);
    expect(fleet.fleet.reservations.show('res')).toMatchObject({ state: 'active', gpus: 3, gpusInUse: 3 });
    fleet.runAll();
    fleet.end(early);
    await fleet.settle(1000);
    expect(fleet.states(endless)).toEqual(['queued']);
    await fleet.settle(11 * MINUTE_MS);
    expect(fleet.states(endless)).toEqual(['reserved']);
    expect(fleet.fleet.reservations.list()).toEqual([]);
    await fleet.close();
  });

  test('are taken before others by its work, while they last', async () => {
    const fleet = await openFleet({ a: 2, b: 2 });
    reserve(fleet, { start: 'now', nodes: ['b'], gpus: 2, queues: ['r'] });
    const own = fleet.submit('r/y', 1);
    const other = fleet.submit('s', 1);
    await fleet.settle(1000);
    expect([own, other].map((work) => fleet.fixture.attemptOf(work).nodeId)).toEqual(['node-b', 'node-a']);
    await fleet.close();
  });

  test('take a gang of its queue together with what is free elsewhere, and no other gang', async () => {
    const fleet = await openFleet({ a: 2, b: 2, c: 2 });
    reserve(fleet, { start: 'now', nodes: ['b', 'c'], gpus: 4, queues: ['r'] });
    const foreign = fleet.submit('s', 2, { gang: { members: 3 } });
    await fleet.settle(1000);
    expect(fleet.fleet.questions.why(foreign, []).waiting).toMatchObject({ reason: 'held' });
    const own = fleet.submit('r/y', 2, { gang: { members: 3 } });
    await fleet.settle(1000);
    expect(fleet.states(foreign, own)).toEqual(['queued', 'reserved']);
    await fleet.close();
  });

  test('are within the limit of the queue, in the order of who waits for it', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 3 } }, 'r/y': {} });
    fleet.fixture.join('a', 8);
    const before = fleet.submit('r/y', 2);
    await fleet.settle();
    reserve(fleet, { start: 'now', gpus: 4, queues: ['r'] });
    const large = fleet.submit('r/y', 2);
    await fleet.settle();
    const small = fleet.submit('r/y', 1);
    await fleet.settle(2000);
    expect(fleet.states(before, large, small)).toEqual(['reserved', 'queued', 'queued']);
    fleet.fleet.queues.update({ queue: 'r', settings: { limit: { gpus: 5 } } });
    await fleet.settle(2000);
    expect(fleet.states(large, small)).toEqual(['reserved', 'reserved']);
    await fleet.close();
  });

  test('are not what others are stopped for, and nobody is stopped in vain', async () => {
    const fleet = await openFleet({ a: 2 });
    const low = fleet.submit('s', 2, { priority: -5 });
    await fleet.settle();
    fleet.runAll();
    reserve(fleet, { gpus: 2, queues: ['r'] });
    const urgent = fleet.submit('s', 2, { priority: 9 });
    await fleet.settle(3000);
    expect(fleet.states(low, urgent)).toEqual(['running', 'queued']);
    const brief = fleet.submit('s', 2, { priority: 10, timeoutMs: MINUTE_MS });
    await fleet.settle(7000);
    expect(fleet.states(low, brief)).toEqual(['preempting', 'queued']);
    fleet.endStopped();
    await fleet.settle(3000);
    expect(fleet.states(low, urgent, brief)).toEqual(['queued', 'queued', 'reserved']);
    await fleet.close();
  });

  test('are free at once when the reservation is deleted', async () => {
    const fleet = await openFleet({ a: 2 });
    reserve(fleet, { gpus: 2, queues: ['r'] });
    const work = fleet.submit('s', 2);
    await fleet.settle(1000);
    expect(fleet.states(work)).toEqual(['queued']);
    fleet.fleet.reservations.delete('res');
    await fleet.settle();
    expect(fleet.states(work)).toEqual(['reserved']);
    await fleet.close();
  });

  test('survive a kill, which loses no right and no duty', async () => {
    const fleet = await openFleet({ a: 2 });
    const view = reserve(fleet, { gpus: 2, queues: ['r'] });
    await fleet.settle();
    await fleet.restart();
    fleet.fixture.connect('node-a');
    const foreign = fleet.submit('s', 1);
    const brief = fleet.submit('s', 1, { timeoutMs: MINUTE_MS });
    await fleet.settle(1000);
    expect(fleet.fleet.reservations.list()).toMatchObject([{ name: 'res', startMs: view.startMs }]);
    expect(fleet.states(foreign, brief)).toEqual(['queued', 'reserved']);
    await fleet.restart();
    fleet.fixture.connect('node-a');
    await fleet.settle(21 * MINUTE_MS);
    expect(fleet.fleet.reservations.list()).toEqual([]);
    await fleet.close();
  });
});

describe('GPUs that cannot be used any more', () => {
  test('are replaced by others, where none were named, and only by such as are free in time', async () => {
    const fleet = await openFleet({ a: 2, b: 2, c: 2 });
    const endless = fleet.submit('s', 2, { nodeSelector: { node: 'b' } });
    await fleet.settle();
    fleet.runAll();
    const [held] = reserve(fleet, { gpus: 2, queues: ['r'] }).nodes;
    reserve(fleet, { name: 'named', nodes: ['b'], gpus: 1, queues: ['r'] });
    fleet.fleet.administration.cordon(fleet.fleet.node(held!.node));
    await fleet.settle(30_000);
    expect(fleet.fleet.reservations.show('res')).toMatchObject({ gpusAway: 2, nodes: [held] });
    await fleet.settle(60_000);
    const after = fleet.fleet.reservations.show('res');
    expect(after).toMatchObject({ gpus: 2, gpusAway: 0 });
    expect(after.nodes.map(({ node }) => node)).toEqual([held!.node === 'a' ? 'c' : 'a']);
    expect(fleet.states(endless)).toEqual(['running']);
    fleet.fleet.administration.cordon(fleet.fleet.node(after.nodes[0]!.node));
    fleet.fleet.administration.cordon(fleet.fleet.node('b'));
    await fleet.settle(120_000);
    expect(fleet.fleet.reservations.show('res')).toMatchObject({ gpusAway: 2, nodes: after.nodes });
    expect(fleet.fleet.reservations.show('named')).toMatchObject({ gpusAway: 1 });
    await fleet.close();
  });
});

describe('work in the way of a reservation', () => {
  test('is told, and left if so it was asked for', async () => {
    const fleet = await openFleet({ a: 2 });
    const work = fleet.submit('s', 2);
    await fleet.settle();
    fleet.runAll();
    const view = reserve(fleet, { purpose: 'maintenance', nodes: ['a'] });
    expect(view.outlasting).toMatchObject([{ workload: work.id, node: 'a' }]);
    await fleet.settle(15 * MINUTE_MS);
    expect(fleet.states(work)).toEqual(['running']);
    const events = await fleet.fleet.events({ from: 0, limit: 100, subject: work.id });
    expect(events.map(({ type }) => type)).toContain('workload.outlasts-reservation');
    fleet.end(work);
    const next = fleet.submit('r/y', 1);
    await fleet.settle(1000);
    expect(fleet.states(next)).toEqual(['queued']);
    await fleet.close();
  });

  test('is asked to end in time, told before, and begins anew elsewhere', async () => {
    const fleet = await openFleet({ a: 2 });
    const grace = 30_000;
    const work = fleet.submit('s', 2, { stopGraceMs: grace });
    const ending = fleet.submit('s', 0, { timeoutMs: 5 * MINUTE_MS });
    await fleet.settle();
    fleet.runAll();
    const view = reserve(fleet, { purpose: 'maintenance', nodes: ['a'], running: 'evict' });
    expect(view.outlasting).toMatchObject([{ workload: work.id, stopsAtMs: view.startMs - grace }]);
    fleet.fixture.join('b', 2);
    await fleet.settle(9 * MINUTE_MS);
    expect(fleet.states(work, ending)).toEqual(['running', 'running']);
    await fleet.settle(grace + 2000);
    expect(fleet.fixture.attemptOf(work).evicted).toMatchObject({ cause: 'scheduler' });
    fleet.endStopped();
    await fleet.settle(1000);
    expect(fleet.fixture.attemptOf(work).nodeId).toBe('node-b');
    await fleet.close();
  });

  test('is stopped only after the notice, however soon the start is', async () => {
    const fleet = await openFleet({ a: 2 });
    const work = fleet.submit('s', 2);
    await fleet.settle();
    fleet.runAll();
    reserve(fleet, { start: 'now', gpus: 2, queues: ['r'], running: 'evict', noticeMs: 5 * MINUTE_MS });
    await fleet.settle(5 * MINUTE_MS - 2000);
    expect(fleet.states(work)).toEqual(['running']);
    await fleet.settle(4000);
    expect(fleet.fixture.attemptOf(work).evicted).toBeDefined();
    await fleet.close();
  });

  test('that was let in on the word of its time limit has to go, also where the rest is left', async () => {
    const fleet = await openFleet({ a: 2 });
    reserve(fleet, { gpus: 2, queues: ['r'] });
    const work = fleet.submit('s', 2, { timeoutMs: 5 * MINUTE_MS });
    await fleet.settle(1000);
    expect(fleet.states(work)).toEqual(['reserved']);
    // Its node needs so long to begin that its time is not over by the start.
    await fleet.settle(8 * MINUTE_MS);
    fleet.runAll();
    await fleet.settle(2 * MINUTE_MS + 2000);
    expect(fleet.fixture.attemptOf(work).evicted?.message).toContain('reservation res holds it');
    await fleet.close();
  });
});

describe('why and what if', () => {
  test('name the reservation, until when, and what would help; each of that was tried', async () => {
    const fleet = await openFleet({ a: 2 });
    reserve(fleet, { gpus: 2, queues: ['r'] });
    const work = fleet.submit('s', 2);
    await fleet.settle(1000);
    expect(fleet.fleet.workloadView(work).waiting).toMatchObject({ reason: 'held' });
    const { message, waiting } = fleet.fleet.questions.why(work, []);
    expect(message).toMatch(/held by reservation res until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/);
    expect(waiting?.obstacles).toMatchObject([{ code: 'reserved', nodes: 1 }]);
    const { endMs } = fleet.fleet.reservations.show('res');
    expect(waiting?.start).toMatchObject({ estimate: 'range', fromMs: endMs, toMs: endMs });
    const [limit, wait, remove] = ['ask-timeout', 'wait-reservation', 'delete-reservation'].map((name) =>
      waiting?.remedies.find(({ steps }) => steps.some(({ step }) => step === name)),
    );
    expect(limit).toMatchObject({ certain: true });
    expect(wait).toMatchObject({ certain: true });
    expect(remove).toMatchObject({ certain: true, commands: ['clawbernetes reservation delete res'] });
    const timeoutMs = limit?.steps[0]?.timeoutMs ?? 0;
    expect(timeoutMs).toBeGreaterThanOrEqual(8 * MINUTE_MS);
    const brief = fleet.submit('s', 2, { timeoutMs });
    await fleet.settle(1000);
    expect(fleet.states(work, brief)).toEqual(['queued', 'reserved']);
    await fleet.close();
  });

  test('of the queue itself tell when its reservation begins', async () => {
    const fleet = await openFleet({ a: 2 });
    const { startMs } = reserve(fleet, { gpus: 2, queues: ['r'] });
    const work = fleet.submit('r/y', 2);
    await fleet.settle(1000);
    const { waiting } = fleet.fleet.questions.why(work, []);
    expect(waiting?.message).toContain('reservation res, which begins at');
    expect(waiting?.start).toMatchObject({ fromMs: startMs, toMs: startMs });
    await fleet.close();
  });
});
