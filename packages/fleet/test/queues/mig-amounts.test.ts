// Shows that a MIG instance counts as the part of a GPU that it is wherever GPUs are summed up: in queues, in
// their limits, in the fleet and its nodes, in reservations; what begins and what ends counts the same.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reservationRequestSchema, type GpuDevice } from '@clawbernetes/protocol';
import { cutGpu, GH200, gpusOf, RTX_PRO } from '../unit/mig-gpus.ts';
import { QueueFleet } from './queue-fleet.ts';

const SEVEN = Array.from({ length: 7 }, () => '1g.10gb');
const room = { cpuMilli: 10, memoryMib: 4 };
const mig = (migProfile: string, gpus = 1) => ({ resources: { gpus, migProfile, ...room } });

/** Thousandths, told another way than the fleet does: by the tables of NVIDIA. */
const PARTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '1g.10gb': { H100: 142 },
  '3g.40gb': { H100: 428 },
  '1g.24gb': { GH200: 142, RTX: 250 },
};

function partOf({ model, migProfile }: Pick<GpuDevice, 'model' | 'migProfile'>): number {
  if (migProfile === undefined) return 1000;
  const found = Object.entries(PARTS[migProfile] ?? {}).find(([name]) => model.includes(name));
  if (!found) throw new Error(`no part for ${migProfile} of ${model}`);
  return found[1];
}

describe('a MIG instance', () => {
  test('takes of a limit the part of a GPU that it is', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 1 } } });
    fleet.fixture.join('a', 0, {
      gpus: gpusOf(cutGpu('a', 0, { profiles: SEVEN }), cutGpu('a', 1, { profiles: SEVEN })),
    });
    const works = Array.from({ length: 8 }, () => fleet.submit('r', 1, mig('1g.10gb')));
    await fleet.settle();
    expect(fleet.states(...works)).toEqual([...works.slice(1).map(() => 'reserved'), 'queued']);
    expect(fleet.used('r')).toBe(0.994);
    expect(fleet.fleet.workloadView(works[7]!).waiting?.message).toContain(
      'It needs 0.142 GPUs, but queue r may use 1 GPU, of which 0.994 GPUs are in use',
    );
    fleet.end(works[0]!);
    await fleet.settle();
    expect([fleet.used('r'), fleet.states(works[7]!)]).toEqual([0.994, ['reserved']]);
    await fleet.close();
  });

  test('that is smaller on one GPU than on another gets the one that its limit still has room for', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 0.3 } } });
    const four = Array.from({ length: 4 }, () => '1g.24gb');
    fleet.fixture.join('big', 0, { gpus: gpusOf(cutGpu('big', 0, { model: RTX_PRO, profiles: four })) });
    fleet.fixture.join('small', 0, { gpus: gpusOf(cutGpu('small', 0, { model: GH200, profiles: four })) });
    const [first, second, third] = [1, 2, 3].map(() => fleet.submit('r', 1, mig('1g.24gb')));
    await fleet.settle();
    const used = fleet.used('r');
    // Whichever it gets first: two of the small ones, or a large one and nothing more.
    expect([0.284, 0.25]).toContain(used);
    expect(fleet.states(first!, second!, third!).filter((state) => state === 'reserved')).toHaveLength(
      used === 0.25 ? 1 : 2,
    );
    fleet.fleet.queues.update({ queue: 'r', settings: { limit: { gpus: 0.2 } } });
    for (const work of [first!, second!, third!]) if (fleet.states(work)[0] === 'reserved') fleet.end(work);
    await fleet.settle();
    expect(fleet.used('r')).toBe(0.142);
    await fleet.close();
  });

  test('of a gang counts for each member, also after a restart and in what its remedy says', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpus: 0.5 } } });
    for (const name of ['a', 'b'])
      fleet.fixture.join(name, 0, { gpus: gpusOf(cutGpu(name, 0, { profiles: SEVEN })) });
    const gang = fleet.submit('r', 1, { ...mig('1g.10gb'), gang: { members: 2 } });
    await fleet.settle();
    expect([fleet.states(gang), fleet.used('r')]).toEqual([['reserved'], 0.284]);
    await fleet.restart();
    for (const { id } of fleet.fleet.nodes()) fleet.fixture.connect(id);
    expect(fleet.used('r')).toBe(0.284);
    const more = fleet.submit('r', 1, mig('1g.10gb', 2));
    await fleet.settle();
    const { waiting } = fleet.fleet.questions.why(more, []);
    // 0.216 are left of the limit, which is enough for one.
    expect(waiting?.remedies.flatMap(({ steps }) => steps)).toContainEqual({ step: 'ask-gpus', gpus: 1 });
    await fleet.close();
  });

  test('is of the class of its GPU', async () => {
    const fleet = await QueueFleet.open({ r: { limit: { gpuModels: { h100: 0.5 } } } });
    fleet.fixture.join('a', 0, { gpus: gpusOf(cutGpu('a', 0, { profiles: ['3g.40gb', '3g.40gb'] })) });
    const works = [1, 2].map(() => fleet.submit('r', 1, mig('3g.40gb')));
    await fleet.settle();
    expect(fleet.states(...works)).toEqual(['reserved', 'queued']);
    const { used } = fleet.fleet.queues.show('r');
    expect([used.gpus, used.gpuModels]).toEqual([0.428, { h100: 0.428 }]);
    expect(fleet.fleet.workloadView(works[1]!).waiting?.message).toContain('0.428 × h100');
    await fleet.close();
  });

  test('counts so in the fleet, its nodes, the capacity of queues and reservations; its GPU does not', async () => {
    const fleet = await QueueFleet.open({ r: { guaranteed: { gpus: 1 } } });
    fleet.fixture.join('a', 0, {
      gpus: gpusOf(cutGpu('a', 0, { profiles: [] }), cutGpu('a', 1, { profiles: SEVEN })),
    });
    const held = fleet.submit('r', 1, mig('1g.10gb'));
    await fleet.settle();
    const view = fleet.fleet.nodeView(fleet.fleet.node('a'));
    expect([view.capacity.gpus, view.free.gpus]).toEqual([1.994, 1.852]);
    expect(fleet.fleet.counts().gpus).toEqual({ total: 1.994, free: 1.852, simulated: 0 });
    expect(view.gpus.map(({ migMilli }) => migMilli)).toEqual([
      undefined,
      undefined,
      ...SEVEN.map(() => 142),
    ]);
    expect(fleet.fixture.attemptOf(held).migMilli).toEqual([142]);
    const more = fleet.submit('r', 3);
    expect(fleet.fleet.queues.show('r').fairShare.gpus).toBe(1.994);
    fleet.fleet.intake.stop(more, false);
    const all = { name: 'all', start: 'now', durationMs: 3_600_000, nodes: ['a'], queues: ['r'] };
    const reservation = fleet.fleet.reservations.create(reservationRequestSchema.parse(all));
    expect([reservation.gpus, reservation.gpusInUse]).toEqual([1.994, 0.142]);
    expect(reservation.nodes.map(({ gpus, devices }) => [gpus, devices.length])).toEqual([[1.994, 8]]);
    await fleet.close();
  });
});

const nodeArbitrary = fc.array(
  fc.oneof(
    fc.constant({ profiles: [] }),
    fc.constantFrom(
      { profiles: SEVEN },
      { profiles: ['3g.40gb', '3g.40gb'] },
      { profiles: ['3g.40gb', '1g.10gb'] },
    ),
    fc.constantFrom(
      { model: RTX_PRO, profiles: ['1g.24gb', '1g.24gb'] },
      { model: GH200, profiles: ['1g.24gb'] },
    ),
  ),
  { minLength: 1, maxLength: 4 },
);
const workArbitrary = fc.oneof(
  fc.record({ gpus: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ gpuMilli: fc.constantFrom(142, 300, 500) }),
  fc.record({
    gpus: fc.integer({ min: 1, max: 3 }),
    migProfile: fc.constantFrom('1g.10gb', '3g.40gb', '1g.24gb'),
  }),
);
const stepArbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.record({ queue: fc.constantFrom('a', 'b/x', 'b/y'), work: workArbitrary }) },
  { weight: 3, arbitrary: fc.record({ end: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ limit: fc.constantFrom(0, 0.3, 0.5, 1, 2.5) }) },
  { weight: 1, arbitrary: fc.constant({ restart: true }) },
);
type Step = typeof stepArbitrary extends fc.Arbitrary<infer One> ? One : never;

async function take(fleet: QueueFleet, step: Step): Promise<void> {
  const live = fleet.fleet.nodes().flatMap(({ id }) => fleet.fleet.liveAttempts(id));
  if ('work' in step) fleet.submit(step.queue, 0, { resources: { ...step.work, ...room } });
  else if ('limit' in step)
    fleet.fleet.queues.update({ queue: 'b', settings: { limit: { gpus: step.limit } } });
  else if ('restart' in step) {
    await fleet.restart();
    for (const { id } of fleet.fleet.nodes()) fleet.fixture.connect(id);
  } else {
    const attempt = live[step.end % Math.max(1, live.length)];
    if (attempt)
      fleet.fixture.report(attempt, { state: 'exited', exitCode: 0, revision: attempt.revision + 1 });
  }
  await fleet.settle();
}

/** Nothing waits any more, and all that runs has ended. */
async function endAll({ fleet, fixture }: QueueFleet): Promise<void> {
  for (const workload of fleet.workloads('default'))
    if (workload.state === 'queued') fleet.intake.stop(workload, false);
  for (const { id } of fleet.nodes())
    for (const attempt of fleet.liveAttempts(id))
      fixture.report(attempt, { state: 'exited', exitCode: 0, revision: attempt.revision + 1 });
  await fixture.settle();
}

/** By queue, from what runs where; of a whole GPU all, of others their parts. */
function usedMilli({ fleet }: QueueFleet): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const { id, inventory } of fleet.nodes())
    for (const { devices, workloadId, gpuMilli } of fleet.liveAttempts(id)) {
      const { queue = 'default' } = fleet.findWorkload(workloadId)?.spec ?? {};
      const parts = inventory.gpus.filter((gpu) => devices.includes(gpu.id)).map(partOf);
      const milli = gpuMilli ?? parts.reduce((sum, part) => sum + part, 0);
      for (const name of queue === 'a' ? ['a'] : ['b', queue]) used.set(name, (used.get(name) ?? 0) + milli);
    }
  return used;
}

/** What the fleet says it has and gives away is what its devices are, and no more than its GPUs. */
function checkSums({ fleet }: QueueFleet): void {
  let [total, physical] = [0, 0];
  for (const node of fleet.nodes()) {
    const { gpus, capacity, free } = fleet.nodeView(node);
    const given = gpus.filter((gpu) => gpu.migEnabled !== true);
    const sum = given.reduce((all, gpu) => all + partOf(gpu), 0);
    expect(Math.round(capacity.gpus * 1000)).toBe(sum);
    expect(Math.round(free.gpus * 1000)).toBe(
      given.filter(({ freeMilli }) => freeMilli === 1000).reduce((all, gpu) => all + partOf(gpu), 0),
    );
    const whole = gpus.filter((gpu) => gpu.parentId === undefined).length;
    expect(sum).toBeLessThanOrEqual(whole * 1000);
    total += sum;
    physical += whole;
  }
  expect(Math.round(fleet.counts().gpus.total * 1000)).toBe(total);
  expect(fleet.counts().gpus.total).toBeLessThanOrEqual(physical);
}

test('of any history what queues use is what runs, never beyond a limit, and all of it is given back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(nodeArbitrary, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.array(stepArbitrary, { minLength: 4, maxLength: 25 }),
      async (nodes, byModel, steps) => {
        const fleet = await QueueFleet.open({
          a: byModel ? { limit: { gpuModels: { h100: 2, gh200: 1 } } } : {},
          b: { limit: { gpus: 1 } },
          'b/x': {},
          'b/y': {},
        });
        for (const [at, gpus] of nodes.entries())
          fleet.fixture.join(`n${at}`, 0, {
            gpus: gpusOf(...gpus.map((gpu, index) => cutGpu(`n${at}`, index, gpu))),
          });
        await fleet.settle();
        let before = new Map<string, number>();
        for (const step of steps) {
          await take(fleet, step);
          const used = usedMilli(fleet);
          for (const { queue, used: told, limit } of fleet.fleet.queues.list()) {
            const now = used.get(queue) ?? 0;
            expect([queue, Math.round((told.gpus ?? 0) * 1000)]).toEqual([queue, now]);
            if (limit?.gpus !== undefined)
              expect(now).toBeLessThanOrEqual(Math.max(limit.gpus * 1000, before.get(queue) ?? 0));
          }
          before = new Map(used);
          checkSums(fleet);
        }
        await endAll(fleet);
        for (const { used: left } of fleet.fleet.queues.list()) expect(left.gpus ?? 0).toBe(0);
        await fleet.close();
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);
