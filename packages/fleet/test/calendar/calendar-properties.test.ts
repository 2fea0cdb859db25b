// Shows for random histories of reservations and work, by counting GPUs, that nothing is ever placed on what
// is kept from it, that no GPU is reserved twice at a time, and that nothing waits for which there is room.
import { reservationRequestSchema } from '@clawbernetes/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WorkloadRecord } from '../../src/index.ts';
import { QueueFleet, unguarded } from '../queues/queue-fleet.ts';

const MINUTE_MS = 60_000;
const NODES = ['a', 'b'] as const;
const GPUS = 4;

const actionArbitrary = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('submit' as const),
      queue: fc.constantFrom('r', 's'),
      gpus: fc.integer({ min: 1, max: GPUS }),
      minutes: fc.option(fc.integer({ min: 1, max: 20 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('reserve' as const),
      inMinutes: fc.integer({ min: 0, max: 15 }),
      minutes: fc.integer({ min: 2, max: 20 }),
      gpus: fc.integer({ min: 1, max: 2 * GPUS }),
      queue: fc.constantFrom('r', 's'),
      evicts: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('maintain' as const), node: fc.constantFrom(...NODES) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('delete' as const) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('end' as const), which: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('pass' as const), minutes: fc.integer({ min: 1, max: 8 }) }),
  },
);
type Action = typeof actionArbitrary extends fc.Arbitrary<infer One> ? One : never;

const RESERVE = { act: 'reserve', minutes: 2, gpus: 2, queue: 'r', evicts: false } as const;
/** CPU of a node was counted twice where one reservation follows another on the same GPUs. */
const ONE_AFTER_THE_OTHER: Action[] = [
  { ...RESERVE, inMinutes: 0 },
  { ...RESERVE, inMinutes: 2 },
  { act: 'submit', queue: 'r', gpus: 4, minutes: null },
  { act: 'submit', queue: 's', gpus: 1, minutes: null },
];

/** Queues take back what others have borrowed, and places are kept meanwhile. */
const RECLAIMING = unguarded({ reservations: 0, historyStrength: 0 });
/** Places are kept by the reservations of the calendar alone. */
const PEACEFUL = unguarded({
  ...{ reservations: 0, historyStrength: 0 },
  guards: { minRuntimeMs: 0, coolDownMs: 0, maxPreemptions: 0 },
});

class World {
  readonly fleet: QueueFleet;
  readonly #reclaims: boolean;
  readonly works: WorkloadRecord[] = [];
  readonly #seen = new Set<string>();
  placed = 0;
  onReserved = 0;
  kept = 0;
  #names = 0;

  /** @param reclaims places are kept for those for whom others make room, too. */
  constructor(fleet: QueueFleet, { reclaims }: { readonly reclaims: boolean }) {
    this.fleet = fleet;
    this.#reclaims = reclaims;
  }

  async act(action: Action): Promise<void> {
    if (action.act === 'submit') this.#submit(action);
    else if (action.act === 'reserve') this.#reserve(action);
    else if (action.act === 'maintain') this.#maintain(action.node);
    else if (action.act === 'delete') this.#delete();
    else if (action.act === 'end') this.#end(action.which);
    else for (let minute = 0; minute < action.minutes; minute += 1) await this.#minute();
    await this.#settle();
  }

  #submit({ queue, gpus, minutes }: { queue: string; gpus: number; minutes: number | null }): void {
    const limit = minutes === null ? {} : { timeoutMs: minutes * MINUTE_MS };
    this.works.push(this.fleet.submit(queue, gpus, { ...limit, stopGraceMs: 1000 }));
  }

  #reserve(what: { inMinutes: number; minutes: number; gpus: number; queue: string; evicts: boolean }): void {
    this.#create({
      start: `+${what.inMinutes}m`,
      durationMs: what.minutes * MINUTE_MS,
      gpus: what.gpus,
      queues: [what.queue],
      running: what.evicts ? ('evict' as const) : ('leave' as const),
    });
  }

  #maintain(node: string): void {
    const purpose = 'maintenance' as const;
    this.#create({
      start: '+3m',
      durationMs: 5 * MINUTE_MS,
      purpose,
      nodes: [node],
      running: 'evict' as const,
    });
  }

  /** It may be refused: then others are in the way. */
  #create(request: object): void {
    this.#names += 1;
    const { reservations } = this.fleet.fleet;
    try {
      reservations.create(reservationRequestSchema.parse({ name: `res-${this.#names}`, ...request }));
    } catch {
      expect(reservations.list().length).toBeGreaterThan(0);
    }
  }

  #delete(): void {
    const [first] = this.fleet.fleet.reservations.list();
    if (first) this.fleet.fleet.reservations.delete(first.name);
  }

  #end(which: number): void {
    const running = this.works.filter((work) => this.fleet.fixture.state(work) === 'running');
    const work = running[which % Math.max(1, running.length)];
    if (work) this.fleet.end(work);
  }

  /** What reaches its limit ends, and what is asked to. */
  async #minute(): Promise<void> {
    await this.fleet.settle(MINUTE_MS);
    this.fleet.endStopped();
    for (const work of this.works) {
      if (this.fleet.fixture.state(work) !== 'running') continue;
      const { startedAtMs = Infinity } = this.fleet.fixture.attemptOf(work);
      const limitMs = startedAtMs + (work.spec.timeoutMs ?? Infinity);
      if (limitMs <= this.fleet.fixture.clock.nowMs()) this.fleet.end(work);
    }
    this.check();
  }

  async #settle(): Promise<void> {
    await this.fleet.settle(20);
    this.check();
    this.fleet.runAll();
    await this.fleet.settle(3000);
    this.check();
    if (!this.#reclaims) this.checkWaiting();
    this.fleet.runAll();
  }

  check(): void {
    const { fleet } = this.fleet;
    const reservations = fleet.reservations.list();
    for (const one of reservations)
      for (const other of reservations) {
        if (one === other || one.startMs >= other.endMs || other.startMs >= one.endMs) continue;
        expect(devicesOf(one).isDisjointFrom(devicesOf(other))).toBe(true);
      }
    for (const { id } of fleet.nodes())
      for (const attempt of fleet.liveAttempts(id)) {
        if (this.#seen.has(attempt.id)) continue;
        this.#seen.add(attempt.id);
        const { spec } = fleet.findWorkload(attempt.workloadId)!;
        this.placed += 1;
        const held = reservations.filter(
          (one) =>
            one.createdAtMs < attempt.placedAtMs && attempt.devices.some((gpu) => devicesOf(one).has(gpu)),
        );
        if (held.length > 0) this.onReserved += 1;
        for (const one of held) expect(isKeptFrom(one, spec, attempt.placedAtMs)).toBe(false);
      }
  }

  checkWaiting(): void {
    const { fleet } = this.fleet;
    const nowMs = this.fleet.fixture.clock.nowMs();
    const reservations = fleet.reservations.list();
    for (const work of this.works) {
      if (this.fleet.fixture.state(work) !== 'queued') continue;
      const inWay = reservations.filter((one) => isKeptFrom(one, work.spec, nowMs));
      const keeps = new Set(inWay.flatMap((one) => [...devicesOf(one)]));
      if (keeps.size > 0) this.kept += 1;
      for (const node of fleet.nodes()) {
        const taken = new Set(fleet.liveAttempts(node.id).flatMap(({ devices }) => devices));
        const free = node.inventory.gpus.filter(({ id }) => !taken.has(id) && !keeps.has(id));
        expect(free.length).toBeLessThan(work.spec.resources.gpus);
      }
    }
  }
}

interface View {
  readonly startMs: number;
  readonly endMs: number;
  readonly queues: readonly string[];
  readonly nodes: readonly { readonly devices: readonly string[] }[];
}

function devicesOf({ nodes }: View): Set<string> {
  return new Set(nodes.flatMap(({ devices }) => devices));
}

function isKeptFrom({ startMs, endMs, queues }: View, spec: WorkloadRecord['spec'], atMs: number): boolean {
  const endsMs = atMs + (spec.timeoutMs ?? Infinity) + spec.stopGraceMs;
  if (atMs >= endMs || endsMs <= startMs) return false;
  return atMs < startMs || !queues.includes(spec.queue ?? 'default');
}

test('reservations and work in any order', async () => {
  let [placed, onReserved, kept] = [0, 0, 0];
  const history = fc.array(actionArbitrary, { minLength: 5, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(history, fc.boolean(), async (actions, reclaims) => {
      const fleet = await QueueFleet.open({ r: {}, s: {} }, reclaims ? RECLAIMING : PEACEFUL);
      for (const name of NODES) fleet.fixture.join(name, GPUS);
      await fleet.settle();
      const world = new World(fleet, { reclaims });
      for (const action of actions) await world.act(action);
      placed += world.placed;
      onReserved += world.onReserved;
      kept += world.kept;
      await fleet.close();
    }),
    { numRuns: 40, examples: [[ONE_AFTER_THE_OTHER, false]] },
  );
  expect(placed).toBeGreaterThan(50);
  expect(Math.min(onReserved, kept)).toBeGreaterThan(5);
});
