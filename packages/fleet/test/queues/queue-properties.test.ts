// Shows of random histories of a fleet with queues: nothing starts beyond a limit, what is counted is what
// runs, nobody waits for nothing, what others made room for does not stay empty, and all work ends one day.
import { errorCode } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { QueueSettings, WorkloadView } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../src/index.ts';
import { QueueFleet, unguarded } from './queue-fleet.ts';

const QUEUES = ['a', 'b/x', 'b/y', 'default'] as const;
const limit = fc.option(fc.nat(6), { nil: undefined });
const queueArbitrary = fc.constantFrom(...QUEUES);

const treeArbitrary = fc.record({
  a: fc.record({ limit, guaranteed: fc.nat(2), weight: fc.nat(3) }),
  b: fc.record({ limit, guaranteed: fc.nat(2), weight: fc.nat(3) }),
});

const changeArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('submit'),
      queue: queueArbitrary,
      gpus: fc.integer({ min: 1, max: 4 }),
      priority: fc.integer({ min: -2, max: 2 }),
      limited: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('end'), pick: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('stopped') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel'), pick: fc.nat(100) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('edit'), queue: fc.constantFrom('a', 'b'), to: limit }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(1000, 5000, 30_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
);
type Change = typeof changeArbitrary extends fc.Arbitrary<infer One> ? One : never;

function settings(of: { limit: number | undefined; guaranteed: number; weight: number }): QueueSettings {
  const guaranteed = Math.min(of.guaranteed, of.limit ?? Infinity);
  return {
    weight: of.weight,
    guaranteed: { gpus: guaranteed },
    ...(of.limit === undefined ? {} : { limit: { gpus: of.limit } }),
  };
}

const pickOf = <T>(items: readonly T[], pick: number): T | undefined =>
  items[pick % Math.max(1, items.length)];
const views = ({ fleet }: QueueFleet): WorkloadView[] =>
  fleet.workloads('default').map((workload) => fleet.workloadView(workload));
const live = ({ fleet }: QueueFleet) => fleet.nodes().flatMap(({ id }) => fleet.liveAttempts(id));

async function apply(fleet: QueueFleet, change: Change): Promise<void> {
  if ('gpus' in change) {
    const { queue, gpus, priority, limited } = change;
    fleet.submit(queue, gpus, { priority, ...(limited ? { timeoutMs: 20_000 } : {}) });
  } else if (change.kind === 'end' && 'pick' in change) {
    const attempt = pickOf(live(fleet), change.pick);
    if (attempt)
      fleet.fixture.report(attempt, { state: 'exited', exitCode: 0, revision: attempt.revision + 1 });
  } else if (change.kind === 'cancel' && 'pick' in change) {
    const queued = pickOf(
      fleet.fleet.workloads('default').filter(({ state }) => state === 'queued'),
      change.pick,
    );
    if (queued) fleet.fleet.intake.stop(queued, false);
  } else if ('to' in change) edit(fleet, change.queue, change.to);
  else if (change.kind === 'stopped') fleet.endStopped();
  else if ('ms' in change) await fleet.settle(change.ms);
  else if (change.kind === 'restart') {
    await fleet.restart();
    for (const { id } of fleet.fleet.nodes()) fleet.fixture.connect(id);
  }
  await fleet.settle();
  fleet.runAll();
  await fleet.settle();
}

/** What it is guaranteed stays below its limit. */
function edit({ fleet }: QueueFleet, queue: string, to: number | undefined): void {
  if (to === undefined) fleet.queues.update({ queue, settings: {}, unset: ['limit'] });
  else {
    const { guaranteed } = fleet.queues.show(queue);
    const gpus = Math.min(guaranteed?.gpus ?? 0, to);
    fleet.queues.update({ queue, settings: { limit: { gpus: to }, guaranteed: { gpus } } });
  }
}

/** Of each queue what it uses, by what runs and by what the fleet says; a limit is passed only from above. */
function checkUsage(fleet: QueueFleet, before: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const attempt of live(fleet)) {
    const { spec } = fleet.fleet.findWorkload(attempt.workloadId)!;
    const names = (spec.queue ?? 'default').split('/').map((_, at, all) => all.slice(0, at + 1).join('/'));
    for (const name of names) used.set(name, (used.get(name) ?? 0) + attempt.devices.length);
  }
  for (const { queue, used: told, limit: most } of fleet.fleet.queues.list()) {
    const now = used.get(queue) ?? 0;
    expect([queue, told.gpus ?? 0]).toEqual([queue, now]);
    if (most?.gpus !== undefined)
      expect(now).toBeLessThanOrEqual(Math.max(most.gpus, before.get(queue) ?? 0));
  }
  return used;
}

/** Long after the last change places are kept for nobody but those that wait for the ends of others. */
function checkNobodyWaitsForNothing(fleet: QueueFleet): void {
  const nodes = fleet.fleet.nodes().map((node) => fleet.fleet.nodeView(node));
  for (const { state, spec, waiting, name } of views(fleet)) {
    if (state !== 'queued') continue;
    const fits = nodes.some(({ free }) => free.gpus >= spec.resources.gpus);
    if (fits) expect([name, waiting?.reason]).toEqual([name, expect.stringMatching(/over-limit|for-quota/)]);
  }
}

async function untilAllEnded(fleet: QueueFleet): Promise<void> {
  for (const queue of ['a', 'b']) edit(fleet, queue, undefined);
  const count = views(fleet).length;
  // Each round ends what has run longest on each node: far fewer rounds than this are needed.
  for (let round = 0; round < 4 * count + 10; round += 1) {
    fleet.endStopped();
    await fleet.settle();
    fleet.runAll();
    for (const { id } of fleet.fleet.nodes()) {
      const [oldest] = fleet.fleet
        .liveAttempts(id)
        .filter(({ evicted, state }) => !evicted && state === 'running');
      if (oldest)
        fleet.fixture.report(oldest, { state: 'exited', exitCode: 0, revision: oldest.revision + 1 });
    }
    await fleet.settle(2000);
  }
  const left = views(fleet).filter(({ state }) => !['succeeded', 'cancelled', 'failed'].includes(state));
  expect(left.map(({ name, state, waiting }) => [name, state, waiting?.message])).toEqual([]);
}

test.each([{}, { looksPerTurn: 3 }])(
  'holds whatever happens %j',
  async (turns) => {
    await fc.assert(
      fc.asyncProperty(
        treeArbitrary,
        fc.array(changeArbitrary, { minLength: 5, maxLength: 40 }),
        async (tree, changes) => {
          const fleet = await QueueFleet.open(
            {
              a: settings(tree.a),
              b: settings(tree.b),
              'b/x': {},
              'b/y': { weight: 2 },
            },
            { ...unguarded(), ...turns },
          );
          const failures: unknown[] = [];
          for (const node of ['n1', 'n2']) fleet.fixture.join(node, 4);
          await fleet.settle();
          let used: ReadonlyMap<string, number> = new Map();
          for (const change of changes) {
            await apply(fleet, change);
            // A kill fails the fleet that was there; anything else is a defect.
            fleet.fleet.onFailed((error) => {
              if (errorCode(error) !== 'storage-failed') failures.push(error);
            });
            used = checkUsage(fleet, used);
          }
          for (let round = 0; round < 8; round += 1) {
            fleet.endStopped();
            await fleet.settle(20_000);
            fleet.runAll();
          }
          checkNobodyWaitsForNothing(fleet);
          await untilAllEnded(fleet);
          expect(failures).toEqual([]);
          await fleet.close();
        },
      ),
      { numRuns: 60 },
    );
  },
  120_000,
);

test('what may borrow nothing and what borrows all take turns: the lower share is not starved', async () => {
  const fleet = await QueueFleet.open({ a: { weight: 9 }, b: { weight: 1 } });
  fleet.fixture.join('n', 4);
  const submit = (queue: string): WorkloadRecord => fleet.submit(queue, 1);
  for (let count = 0; count < 4; count += 1) submit('a');
  const poor = submit('b');
  await fleet.settle();
  let frees = 0;
  for (; fleet.states(poor)[0] === 'queued' && frees < 40; frees += 1) {
    submit('a');
    fleet.runAll();
    const [oldest] = fleet.fleet.liveAttempts('node-n');
    fleet.fixture.report(oldest!, { state: 'exited', exitCode: 0, revision: oldest!.revision + 1 });
    await fleet.settle(1000);
  }
  expect(frees).toBeLessThan(40);
  await fleet.close();
});
