// Shows that no history of failures, silence, returns, drains, orders by force and crashes gives exclusive
// work two attempts that could run at once: the nodes here know what truly runs, whatever they say of it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTerminal, type AttemptStatus } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../src/index.ts';
import { FleetFixture, status } from './fleet-fixture.ts';

const NODES = ['a', 'b', 'c'] as const;
type Name = (typeof NODES)[number];
const AFTER_MS = 40_000;
const GRACE_MS = 5000;
const STEP_MS = 2000;

const SPEC = {
  exclusive: true,
  stopGraceMs: GRACE_MS,
  restart: { attempts: 50, delayMs: 0 },
  reschedule: { attempts: 50, delayMs: 0 },
  replace: { attempts: 50, delayMs: 0 },
};
const STOPS = { onDisconnect: { action: 'stop' as const, afterMs: AFTER_MS } };

interface Run {
  readonly workloadId: string;
  readonly stops: boolean;
  status: AttemptStatus;
  /** Its program is there, whatever was reported. */
  lives: boolean;
}

/** What a machine truly does; its clock may be slow by up to a tenth. */
class Machine {
  readonly runs = new Map<string, Run>();
  connected = true;
  contactMs = 0;
  readonly slowness: number;

  constructor(slowness: number) {
    this.slowness = slowness;
  }

  change(run: Run, change: Partial<AttemptStatus>): void {
    if (!isTerminal(run.status.state))
      run.status = { ...run.status, ...change, revision: run.status.revision + 1 };
  }

  end(run: Run, change: Partial<AttemptStatus>): void {
    run.lives = false;
    this.change(run, { state: 'killed', ...change });
  }

  /** Work that may not run without contact ends as late as it may. */
  pass(nowMs: number): void {
    const lastMs = this.contactMs + (AFTER_MS + GRACE_MS) * this.slowness + 1000;
    for (const run of this.runs.values())
      if (run.stops && run.lives && nowMs >= lastMs) this.end(run, { reason: 'disconnected' });
  }
}

class World {
  readonly machines: Readonly<Record<Name, Machine>>;
  readonly workloads: WorkloadRecord[] = [];
  readonly #fixture: FleetFixture;
  #seen = 0;

  private constructor(fixture: FleetFixture, slowness: readonly number[]) {
    this.#fixture = fixture;
    const [a = 1, b = 1, c = 1] = slowness;
    this.machines = { a: new Machine(a), b: new Machine(b), c: new Machine(c) };
  }

  static async open(slowness: readonly number[]): Promise<World> {
    const fixture = await FleetFixture.open({ lostAfterMs: 60_000 });
    const world = new World(fixture, slowness);
    for (const name of NODES) fixture.join(name);
    return world;
  }

  get #fleet(): FleetFixture['fleet'] {
    return this.#fixture.fleet;
  }

  async submit(stops: boolean): Promise<void> {
    if (this.workloads.length < 4)
      this.workloads.push(this.#fixture.submit({ ...SPEC, ...(stops ? STOPS : {}) }));
    await this.settle();
  }

  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) {
      for (const name of NODES) if (this.machines[name].connected) this.#hear(name);
      await this.settle(STEP_MS);
    }
  }

  silence(name: Name): void {
    this.machines[name].connected = false;
    this.#fleet.registry.disconnected(`node-${name}`);
  }

  /** Long enough for what may not run without contact. */
  async outage(name: Name): Promise<void> {
    this.silence(name);
    await this.pass(2 * AFTER_MS);
  }

  async back(name: Name): Promise<void> {
    this.machines[name].connected = true;
    await this.#connect(name);
  }

  /** The machine was installed anew: nothing runs there, and nothing is known. */
  wipe(name: Name): void {
    if (!this.machines[name].connected) this.machines[name].runs.clear();
  }

  /** Its supervisor died, and nobody can find out whether what it ran still does: it does. */
  async forget(name: Name): Promise<void> {
    const machine = this.machines[name];
    for (const run of machine.runs.values())
      machine.change(run, { state: 'lost', reason: 'supervisor-lost' });
    await this.settle();
  }

  async end(name: Name, exitCode: number): Promise<void> {
    const machine = this.machines[name];
    for (const run of machine.runs.values())
      if (run.lives && !isTerminal(run.status.state)) {
        machine.end(run, { state: 'exited', exitCode });
        break;
      }
    await this.settle();
  }

  async person(act: () => unknown): Promise<void> {
    try {
      act();
    } catch {
      // Refused: nothing has changed then.
    }
    await this.settle();
  }

  drain = (name: Name) => (): unknown =>
    this.#fleet.administration.drain(this.#node(name), { deadlineMs: 0 });
  uncordon = (name: Name) => (): unknown => this.#fleet.administration.uncordon(this.#node(name));
  abandon = (name: Name) => (): unknown => this.#fleet.administration.abandon(this.#node(name));
  approve = (name: Name) => (): unknown => this.#fleet.registry.approve(this.#node(name));
  force = (index: number) => (): unknown => {
    const workload = this.workloads[index % Math.max(1, this.workloads.length)];
    return workload && this.#fleet.intake.stop(this.#fleet.workload('default', workload.id), true);
  };

  async crash(): Promise<void> {
    await this.#fixture.crashAndReopen({ lostAfterMs: 60_000 });
    for (const name of NODES) if (this.machines[name].connected) await this.#connect(name);
    await this.settle();
  }

  async settle(ms = 20): Promise<void> {
    for (const part of [ms / 2, ms / 2]) {
      await this.#fixture.settle(part);
      for (const name of NODES) this.machines[name].pass(this.#nowMs);
      await this.#deliver();
    }
    this.#check();
  }

  #check(): void {
    const living = NODES.flatMap((name) =>
      [...this.machines[name].runs.values()].filter(({ lives }) => lives),
    );
    const counts = Map.groupBy(living, ({ workloadId }) => workloadId);
    for (const [id, runs] of counts) expect(runs.length, `live attempts of ${id}`).toBe(1);
  }

  attemptsOf(workloadId: string): number {
    return this.#fleet.latestAttempt(workloadId)?.number ?? 0;
  }

  async #connect(name: Name): Promise<void> {
    const id = `node-${name}`;
    this.#fleet.registry.connected(id);
    this.#hear(name);
    const listed = [...this.machines[name].runs.values()].map((run) => run.status);
    const unwanted = this.#fleet.reports.repair(id, listed);
    this.#fleet.registry.listed(id, { reconciled: unwanted.length === 0 });
    await this.settle();
  }

  /** Contact counts from when a heartbeat left, a little before it arrives. */
  #hear(name: Name): void {
    this.machines[name].contactMs = this.#nowMs - 1;
    this.#fleet.registry.heard(`node-${name}`);
  }

  /** Orders reach who is connected; all others are lost. Nodes say what is new. */
  async #deliver(): Promise<void> {
    const orders = this.#fixture.orders.slice(this.#seen);
    this.#seen = this.#fixture.orders.length;
    for (const { nodeId, order } of orders) {
      const machine = this.machines[nodeId.slice(-1) as Name];
      if (!machine.connected) continue;
      if (order.kind === 'start' && !machine.runs.has(order.attempt.id)) {
        const stops = order.workload.spec.onDisconnect?.action === 'stop';
        const begun = status(order.attempt, { state: 'running', revision: 1, startedAtMs: 1 });
        machine.runs.set(begun.attemptId, {
          workloadId: order.workload.id,
          stops,
          status: begun,
          lives: true,
        });
      } else if (order.kind === 'stop') {
        const run = machine.runs.get(order.attemptId);
        if (run) machine.end(run, { reason: 'stopped' });
        else machine.runs.set(order.attemptId, refused(order));
      }
    }
    for (const name of NODES)
      if (this.machines[name].connected)
        this.#fleet.reports.report(
          `node-${name}`,
          [...this.machines[name].runs.values()].map((run) => run.status),
        );
    await this.#fixture.settle(1);
  }

  #node(name: Name): ReturnType<FleetFixture['fleet']['node']> {
    return this.#fleet.node(name);
  }

  get #nowMs(): number {
    return this.#fixture.clock.monotonicMs();
  }
}

/** A node that never heard of an attempt remembers that it must not begin. */
function refused({ attemptId, epoch }: Pick<AttemptStatus, 'attemptId' | 'epoch'>): Run {
  const told = status({ id: attemptId, epoch }, { state: 'killed', revision: 1, reason: 'stopped' });
  return { workloadId: '', stops: false, status: told, lives: false };
}

const name = fc.constantFrom(...NODES);
const act = fc.oneof(
  fc.boolean().map((stops) => (world: World) => world.submit(stops)),
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 120_000 }).map((ms) => (world: World) => world.pass(ms)),
  },
  { weight: 3, arbitrary: name.map((one) => async (world: World) => world.silence(one)) },
  { weight: 3, arbitrary: name.map((one) => (world: World) => world.back(one)) },
  { weight: 2, arbitrary: name.map((one) => (world: World) => world.outage(one)) },
  name.map((one) => async (world: World) => world.wipe(one)),
  name.map((one) => (world: World) => world.forget(one)),
  fc.tuple(name, fc.nat(1)).map(
    ([one, code]) =>
      (world: World) =>
        world.end(one, code),
  ),
  name.map((one) => (world: World) => world.person(world.drain(one))),
  name.map((one) => (world: World) => world.person(world.uncordon(one))),
  name.map((one) => (world: World) => world.person(world.abandon(one))),
  name.map((one) => (world: World) => world.person(world.approve(one))),
  fc.nat(3).map((index) => (world: World) => world.person(world.force(index))),
  fc.constant((world: World) => world.crash()),
);

test('never two at once, and now and then a second one after the first', async () => {
  let successors = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0.9, 1, 1.09), { minLength: 3, maxLength: 3 }),
      fc.array(act, { minLength: 5, maxLength: 25 }),
      async (slowness, acts) => {
        const world = await World.open(slowness);
        await world.submit(true);
        for (const one of acts) await one(world);
        const numbers = world.workloads.map(({ id }) => world.attemptsOf(id));
        successors += numbers.filter((count) => count > 1).length;
      },
    ),
    { numRuns: 100 },
  );
  expect(successors).toBeGreaterThan(10);
}, 60_000);
