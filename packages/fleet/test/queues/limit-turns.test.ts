// Shows that work which waits for limits starts as soon as they allow it and not before, in its order,
// however few of those that wait are held against them again: whatever is submitted, ends, is cancelled or
// edited.
import { present } from '@clawbernetes/kernel';
import type { QueueSettings } from '@clawbernetes/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { QueueFleet, unguarded } from './queue-fleet.ts';

const QUEUES = {
  r: { limit: { gpus: 7 } },
  'r/a': { limit: { gpus: 4 } },
  'r/b': {},
  c: { guaranteed: { gpus: 5 }, preemptible: false },
  d: { limit: { cpuMilli: 500 } },
  e: { limit: { gpuModels: { H100: 4 } } },
} as const satisfies Record<string, QueueSettings>;
const LEAVES = ['r/a', 'r/b', 'c', 'd', 'e'] as const;
type Leaf = (typeof LEAVES)[number];
const NODES = 20;
/** Those of the node that has no H100. */
const A100S = 3;

interface Asked {
  readonly queue: Leaf;
  readonly gpus: number;
  readonly cpuMilli: number;
  readonly priority: number;
  /** Else it takes any. */
  readonly onlyH100: boolean;
}

interface Submitted extends Asked {
  readonly workload: WorkloadRecord;
  readonly at: number;
}

const asked = fc.record({
  queue: fc.constantFrom(...LEAVES),
  gpus: fc.integer({ min: 0, max: 5 }),
  cpuMilli: fc.integer({ min: 1, max: 30 }).map((count) => count * 10),
  priority: fc.nat(1),
  onlyH100: fc.boolean(),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('submit' as const), asked }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(50) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('edit' as const), gpus: fc.integer({ min: 1, max: 12 }) }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** The fleet, and what is asked of it: H100s are there for all, so that limits count, and few A100s. */
class World {
  readonly fleet: QueueFleet;
  readonly #works: Submitted[] = [];
  #limitOfR: number = QUEUES.r.limit.gpus;

  constructor(fleet: QueueFleet) {
    this.fleet = fleet;
  }

  async take(change: Step): Promise<void> {
    if (change.do === 'submit') this.#submit(change.asked);
    else if (change.do === 'edit') this.#edit(change.gpus);
    else {
      const works = this.#in(change.do === 'end' ? 'reserved' : 'queued');
      const work = works[change.which % Math.max(1, works.length)];
      if (work && change.do === 'end') this.fleet.end(work.workload);
      else if (work) this.fleet.fleet.intake.stop(work.workload, false);
    }
    await this.fleet.settle();
  }

  /** Who waits waits for a limit that has no room for it, or behind somebody who does. */
  check(): void {
    const waiting = this.#in('queued').toSorted(
      (one, other) => other.priority - one.priority || one.at - other.at,
    );
    for (const [index, work] of waiting.entries()) {
      const before = waiting.slice(0, index).filter(({ queue }) => queue === work.queue);
      const beside = waiting.filter(({ queue }) => queue !== work.queue);
      const isBehind =
        before.some((one) => shares(this.#full(one), work)) ||
        beside.some((one) => shares(this.#full(one), work));
      const isStopped = this.#over(work).length > 0;
      const told = JSON.stringify({ ...work, workload: undefined });
      expect(isStopped || isBehind, `${told} waits`).toBe(true);
      if (isElsewhere(work)) expect(this.#freeA100s(), `${told} waits`).toBeLessThan(work.gpus);
      else {
        const { waiting: why } = this.fleet.fleet.workloadView(work.workload);
        expect(why?.reason).toMatch(/^(waiting-for-quota|over-limit)$/);
      }
    }
  }

  /** What is used, by queue; of `e` what counts there. */
  used(queue: string, what: 'gpus' | 'cpuMilli'): number {
    const isCounted = ({ workload }: Submitted): boolean =>
      queue !== 'e' || this.fleet.fixture.attemptOf(workload).nodeId !== 'node-a100';
    const running = this.#in('reserved').filter((work) => work.queue.startsWith(queue) && isCounted(work));
    return running.reduce((sum, work) => sum + work[what], 0);
  }

  #freeA100s(): number {
    const works = this.#in('reserved').filter(
      ({ workload }) => this.fleet.fixture.attemptOf(workload).nodeId === 'node-a100',
    );
    return works.reduce((free, { gpus }) => free - gpus, A100S);
  }

  get limitOfR(): number {
    return this.#limitOfR;
  }

  #submit(one: Asked): void {
    const { queue, gpus, cpuMilli, priority, onlyH100 } = one;
    const resources = { gpus, cpuMilli, memoryMib: 4, ...(onlyH100 ? { gpuModels: ['h100'] } : {}) };
    const workload = this.fleet.submit(queue, gpus, { resources, priority });
    this.#works.push({ ...one, workload, at: this.#works.length });
  }

  #edit(gpus: number): void {
    this.#limitOfR = gpus;
    this.fleet.fleet.queues.update({ queue: 'r', settings: { limit: { gpus } } });
  }

  #in(state: string): readonly Submitted[] {
    return this.#works.filter(({ workload }) => this.fleet.fixture.state(workload) === state);
  }

  /** Of the limits that it counts in, those that have no room for it. */
  #over({ queue, gpus, cpuMilli }: Asked): readonly Limit[] {
    return this.#limits().filter(({ name, what, most }) => {
      const amount = what === 'gpus' ? gpus : cpuMilli;
      return queue.startsWith(name) && amount > 0 && this.used(name, what) + amount > most;
    });
  }

  /** Those that it waits for in turn: it could start there if enough were given back. */
  #full(work: Submitted): readonly Limit[] {
    const over = this.#over(work);
    const never = over.some(({ what, most }) => work[what] > most);
    return never || isElsewhere(work) ? [] : over.filter(({ name }) => name !== 'c');
  }

  #limits(): readonly Limit[] {
    return [
      { name: 'r', what: 'gpus', most: this.#limitOfR },
      { name: 'r/a', what: 'gpus', most: QUEUES['r/a'].limit.gpus },
      { name: 'c', what: 'gpus', most: QUEUES.c.guaranteed.gpus },
      { name: 'd', what: 'cpuMilli', most: QUEUES.d.limit.cpuMilli },
      { name: 'e', what: 'gpus', most: QUEUES.e.limit.gpuModels.H100 },
    ];
  }
}

/** It may also get GPUs that its queue has no limit of. */
function isElsewhere({ queue, gpus, onlyH100 }: Asked): boolean {
  return queue === 'e' && gpus > 0 && !onlyH100;
}

interface Limit {
  readonly name: string;
  readonly what: 'gpus' | 'cpuMilli';
  readonly most: number;
}

function joinA100s({ fixture, fleet }: QueueFleet): void {
  const { id: gpuId, ...gpu } = present(fleet.node('n0').inventory.gpus[0], 'a GPU');
  const gpus = Array.from({ length: A100S }, (_, index) => ({
    ...{ ...gpu, id: `a${gpuId}${index}`, index, model: 'NVIDIA A100' },
  }));
  fixture.join('a100', 0, { gpus });
}

function shares(limits: readonly Limit[], { queue, gpus, cpuMilli }: Asked): boolean {
  return limits.some(({ name, what }) => queue.startsWith(name) && (what === 'gpus' ? gpus : cpuMilli) > 0);
}

test('what waits for limits is started as they allow, in turn, also where turns are short', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.constantFrom(1, 4, 2000),
      async (steps, looksPerTurn) => {
        const fleet = await QueueFleet.open(QUEUES, { ...unguarded(), looksPerTurn });
        for (let node = 0; node < NODES; node += 1) fleet.fixture.join(`n${node}`, 8);
        joinA100s(fleet);
        const world = new World(fleet);
        for (const change of steps) {
          const before = world.used('r', 'gpus');
          await world.take(change);
          world.check();
          expect(world.used('r', 'gpus')).toBeLessThanOrEqual(Math.max(before, world.limitOfR));
          expect(world.used('r/a', 'gpus')).toBeLessThanOrEqual(QUEUES['r/a'].limit.gpus);
          expect(world.used('c', 'gpus')).toBeLessThanOrEqual(QUEUES.c.guaranteed.gpus);
          expect(world.used('e', 'gpus')).toBeLessThanOrEqual(QUEUES.e.limit.gpuModels.H100);
          expect(world.used('d', 'cpuMilli')).toBeLessThanOrEqual(QUEUES.d.limit.cpuMilli);
        }
        await fleet.close();
      },
    ),
    { numRuns: 150, endOnFailure: true },
  );
});
