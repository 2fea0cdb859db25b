// Shows that work makes room for gangs, all of it or none, and that gangs make room for others: as a whole,
// or by what they have grown by.
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { QueueFleet } from './queue-fleet.ts';

const low = { priority: -5 };
const high = { priority: 5 };
const ready = { state: 'ready', revision: 1 } as const;

/** Nodes `r<rack>n<number>` of 4 GPUs each. */
async function racks(
  sizes: readonly number[],
  queues: Parameters<typeof QueueFleet.open>[0] = {},
): Promise<QueueFleet> {
  const fleet = await QueueFleet.open(queues);
  for (const [rack, nodes] of sizes.entries())
    for (let node = 0; node < nodes; node += 1) {
      const id = fleet.fixture.join(`r${rack}n${node}`, 4);
      fleet.fleet.administration.label(fleet.fleet.node(id), { set: { rack: `r${rack}` }, remove: [] });
    }
  return fleet;
}

async function begin(fleet: QueueFleet, gang: WorkloadRecord): Promise<void> {
  for (const member of fleet.fleet.members(gang.id)) fleet.fixture.report(member, ready);
  await fleet.settle();
  const startedAtMs = fleet.fixture.clock.nowMs();
  for (const member of fleet.fleet.members(gang.id))
    fleet.fixture.report(member, { state: 'running', revision: 2, startedAtMs });
  await fleet.settle();
}

function nodesOf(fleet: QueueFleet, gang: WorkloadRecord): readonly string[] {
  return fleet.fleet.members(gang.id).map(({ nodeId }) => nodeId);
}

test('for a gang those go where least is lost, in one rack if it must be, and it starts once all have ended', async () => {
  const fleet = await racks([2, 2]);
  const works = ['r0n0', 'r0n1', 'r1n0', 'r1n1'].map((node) =>
    fleet.submit('default', 4, { ...low, nodeSelector: { node } }),
  );
  await fleet.settle();
  fleet.runAll();
  await fleet.settle(60_000);
  // Those of the first rack have run for longer than those that begin anew in the second.
  for (const work of works.slice(2)) fleet.end(work);
  const younger = ['r1n0', 'r1n1'].map((node) =>
    fleet.submit('default', 4, { ...low, nodeSelector: { node } }),
  );
  await fleet.settle();
  fleet.runAll();
  await fleet.settle(1000);
  const topology = { level: 'rack', mode: 'required' } as const;
  const gang = fleet.submit('default', 4, { ...high, gang: { members: 2, topology } });
  await fleet.settle(3000);
  expect(fleet.states(...works.slice(0, 2), ...younger)).toEqual([
    ...['running', 'running'],
    ...['preempting', 'preempting'],
  ]);
  // The place of the first to end is kept, though the gang cannot start yet.
  const [first] = younger;
  if (!first) throw new Error('nothing runs');
  const attempt = fleet.fixture.attemptOf(first);
  fleet.fixture.report(attempt, { state: 'killed', signal: 'SIGTERM', revision: attempt.revision + 1 });
  const other = fleet.submit('default', 4, high);
  await fleet.settle(500);
  expect(fleet.states(gang)).toEqual(['queued']);
  expect(fleet.fleet.liveAttempts('node-r1n0').length + fleet.fleet.liveAttempts('node-r1n1').length).toBe(1);
  expect(fleet.endStopped()).toBeGreaterThan(0);
  await fleet.settle();
  expect(fleet.states(gang)).toEqual(['reserved']);
  expect(nodesOf(fleet, gang).toSorted()).toEqual(['node-r1n0', 'node-r1n1']);
  expect(fleet.states(other)).not.toEqual(['failed']);
  await fleet.close();
});

test('nobody goes for a gang that does not fit as a whole all the same', async () => {
  const fleet = await racks([2, 2]);
  const works = ['r0n0', 'r1n0'].map((node) =>
    fleet.submit('default', 4, { ...low, nodeSelector: { node } }),
  );
  const firm = ['r0n1', 'r1n1'].map((node) =>
    fleet.submit('default', 4, { ...high, nodeSelector: { node } }),
  );
  await fleet.settle();
  fleet.runAll();
  const topology = { level: 'rack', mode: 'required' } as const;
  fleet.submit('default', 4, { ...high, gang: { members: 2, topology } });
  await fleet.settle(30_000);
  expect(fleet.states(...works, ...firm)).toEqual(Array(4).fill('running'));
  await fleet.close();
});

test('a gang across racks takes what is free and no more than is missing', async () => {
  const fleet = await racks([2, 2]);
  const works = ['r0n0', 'r0n1', 'r1n0'].map((node) =>
    fleet.submit('default', 4, { ...low, nodeSelector: { node } }),
  );
  await fleet.settle();
  fleet.runAll();
  const gang = fleet.submit('default', 4, { ...high, gang: { members: 3 } });
  await fleet.settle(3000);
  expect(fleet.states(...works).filter((state) => state === 'preempting')).toHaveLength(2);
  fleet.endStopped();
  await fleet.settle();
  expect(fleet.states(gang)).toEqual(['reserved']);
  expect(new Set(nodesOf(fleet, gang)).size).toBe(3);
  await fleet.close();
});

test('a gang goes as a whole, spends none of its moves, and waits again', async () => {
  const fleet = await racks([2]);
  const gang = fleet.submit('default', 4, { ...low, gang: { members: 2 } });
  await fleet.settle();
  await begin(fleet, gang);
  expect(fleet.states(gang)).toEqual(['running']);
  const urgent = fleet.submit('default', 4, high);
  await fleet.settle(3000);
  expect(fleet.states(gang, urgent)).toEqual(['preempting', 'queued']);
  expect(fleet.endStopped()).toBe(2);
  await fleet.settle();
  expect(fleet.states(gang, urgent)).toEqual(['queued', 'reserved']);
  expect(fleet.fleet.findWorkload(gang.id)).toMatchObject({ preemptions: 1, stopRequested: false });
  expect(fleet.fleet.workloadView(gang).moves).toBeUndefined();
  fleet.runAll();
  fleet.end(urgent);
  await fleet.settle();
  expect(fleet.states(gang)).toEqual(['reserved']);
  await fleet.close();
});

test('one that has grown gives up only what it has grown by', async () => {
  const fleet = await racks([3]);
  const gang = fleet.submit('default', 4, { ...low, gang: { members: 3, minMembers: 2 } });
  await fleet.settle();
  await begin(fleet, gang);
  const urgent = fleet.submit('default', 4, high);
  await fleet.settle(3000);
  expect(fleet.endStopped()).toBe(1);
  await fleet.settle();
  expect(fleet.states(urgent)).toEqual(['reserved']);
  await fleet.settle(5000);
  expect(fleet.fleet.findWorkload(gang.id)?.gang).toMatchObject({ phase: 'running', generation: 1 });
  expect(fleet.fleet.members(gang.id).filter(({ state }) => state === 'running')).toHaveLength(2);
  await fleet.close();
});

test('a gang that borrows goes for what a queue is guaranteed; one that has its own does not', async () => {
  const fleet = await racks([2], { a: { guaranteed: { gpus: 4 } }, b: { guaranteed: { gpus: 4 } } });
  const gang = fleet.submit('a', 4, { gang: { members: 2 } });
  await fleet.settle();
  await begin(fleet, gang);
  const owner = fleet.submit('b', 4);
  await fleet.settle(3000);
  expect(fleet.states(gang)).toEqual(['preempting']);
  fleet.endStopped();
  await fleet.settle();
  expect(fleet.states(gang, owner)).toEqual(['queued', 'reserved']);
  await fleet.settle(60_000);
  expect(fleet.used('b')).toBe(4);
  await fleet.close();
});

test('a gang of which a member is out of reach is not asked to go', async () => {
  const fleet = await racks([4]);
  const gang = fleet.submit('default', 4, { ...low, gang: { members: 2 } });
  await fleet.settle();
  await begin(fleet, gang);
  const [, away] = nodesOf(fleet, gang);
  const others = fleet.fleet.nodes().filter(({ id }) => id !== away);
  for (let second = 0; second < 50; second += 10) {
    for (const { id } of others) fleet.fleet.registry.heard(id);
    await fleet.fixture.settle(10_000);
  }
  for (let count = 0; count < 3; count += 1) fleet.submit('default', 4, high);
  await fleet.fixture.settle(5000);
  expect(fleet.states(gang)).toEqual(['degraded']);
  await fleet.close();
});
