// Not a test: a fleet over machines that know what truly runs, whatever they say of it.
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  compareEpochs,
  isTerminal,
  type AttemptStatus,
  type WorkloadSpecInput,
} from '@clawbernetes/protocol';
import type { NodeOrder, WorkloadRecord } from '../../src/index.ts';
import { FleetFixture, status } from './fleet-fixture.ts';

const NODES = ['a', 'b', 'c'] as const;
type Name = (typeof NODES)[number];
export const AFTER_MS = 40_000;
const GRACE_MS = 5000;
const STEP_MS = 2000;
const OPTIONS = { lostAfterMs: 60_000 };
const MAX_WORKLOADS = 4;

interface Run {
  readonly workloadId: string;
  /** Of a member of a gang; else 0. */
  readonly rank: number;
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

  /** One that waits at its barrier begins. */
  release(attemptId: string): void {
    const run = this.runs.get(attemptId);
    if (run?.status.state !== 'ready') return;
    run.lives = true;
    this.change(run, { state: 'running', startedAtMs: 1 });
  }

  end(run: Run, change: Partial<AttemptStatus>): void {
    run.lives = false;
    this.change(run, { state: 'killed', ...change });
  }

  /** Work that may not run without contact ends as late as it may. */
  pass(nowMs: number): void {
    const lastMs = this.contactMs + (AFTER_MS + GRACE_MS) * this.slowness + 1000;
    for (const run of this.runs.values()) {
      const isOver = !run.lives && isTerminal(run.status.state);
      if (run.stops && !isOver && nowMs >= lastMs) this.end(run, { reason: 'disconnected' });
    }
  }
}

export class ExclusiveWorld {
  readonly machines: Readonly<Record<Name, Machine>>;
  readonly workloads: WorkloadRecord[] = [];
  readonly #fixture: FleetFixture;
  #seen = 0;

  private constructor(fixture: FleetFixture, slowness: readonly number[]) {
    this.#fixture = fixture;
    const [a = 1, b = 1, c = 1] = slowness;
    this.machines = { a: new Machine(a), b: new Machine(b), c: new Machine(c) };
  }

  static async open(slowness: readonly number[]): Promise<ExclusiveWorld> {
    const fixture = await FleetFixture.open(OPTIONS);
    const world = new ExclusiveWorld(fixture, slowness);
    for (const name of NODES) fixture.join(name);
    return world;
  }

  get #fleet(): FleetFixture['fleet'] {
    return this.#fixture.fleet;
  }

  async submit(spec: Partial<WorkloadSpecInput>): Promise<void> {
    if (this.workloads.length < MAX_WORKLOADS)
      this.workloads.push(this.#fixture.submit({ exclusive: true, stopGraceMs: GRACE_MS, ...spec }));
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
    await this.#fixture.crashAndReopen(OPTIONS);
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
    for (const [id, runs] of Map.groupBy(living, ({ workloadId }) => workloadId)) {
      const ranks = runs.map(({ rank }) => rank);
      expect(new Set(ranks).size, `live attempts of ${id}: ranks ${ranks.join()}`).toBe(ranks.length);
      const [first] = runs;
      const isOne = runs.every((run) => first && compareEpochs(run.status.epoch, first.status.epoch) === 0);
      expect(isOne, `one epoch of all that lives of ${id}`).toBe(true);
    }
  }

  /** Whether something of it has had a successor. */
  beganAnew(workloadId: string): boolean {
    const attempts = this.#fleet.attempts(workloadId);
    const first = attempts.filter(({ rank = 0 }) => rank === 0);
    return first.length > 1 || new Set(attempts.map(({ rank = 0 }) => rank)).size < attempts.length;
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
        const run = begun(order);
        machine.runs.set(run.status.attemptId, run);
      } else if (order.kind === 'release') machine.release(order.attemptId);
      else if (order.kind === 'stop') {
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

/** A member of a gang that gathers is ready, and waits for the others. */
function begun({ attempt, workload, member }: NodeOrder & { readonly kind: 'start' }): Run {
  const isHeld = member?.barrier === true;
  const state = isHeld ? 'ready' : 'running';
  return {
    ...{ workloadId: workload.id, rank: attempt.rank ?? 0, lives: !isHeld },
    stops: workload.spec.onDisconnect?.action === 'stop',
    status: status(attempt, { state, revision: 1, ...(isHeld ? {} : { startedAtMs: 1 }) }),
  };
}

/** A node that never heard of an attempt remembers that it must not begin. */
function refused({ attemptId, epoch }: Pick<AttemptStatus, 'attemptId' | 'epoch'>): Run {
  const told = status({ id: attemptId, epoch }, { state: 'killed', revision: 1, reason: 'stopped' });
  return { workloadId: '', rank: 0, stops: false, status: told, lives: false };
}

const name = fc.constantFrom(...NODES);
type Act = (world: ExclusiveWorld) => Promise<void>;

/** All that can befall machines, and what people do. @param submit one more. */
export function acts(submit: (world: ExclusiveWorld, stops: boolean) => Promise<void>): fc.Arbitrary<Act> {
  return fc.oneof(
    fc.boolean().map((stops) => (world: ExclusiveWorld) => submit(world, stops)),
    {
      weight: 4,
      arbitrary: fc.integer({ min: 1, max: 120_000 }).map((ms) => (world: ExclusiveWorld) => world.pass(ms)),
    },
    { weight: 3, arbitrary: name.map((one) => async (world: ExclusiveWorld) => world.silence(one)) },
    { weight: 3, arbitrary: name.map((one) => (world: ExclusiveWorld) => world.back(one)) },
    { weight: 2, arbitrary: name.map((one) => (world: ExclusiveWorld) => world.outage(one)) },
    name.map((one) => async (world: ExclusiveWorld) => world.wipe(one)),
    name.map((one) => (world: ExclusiveWorld) => world.forget(one)),
    fc.tuple(name, fc.nat(1)).map(
      ([one, code]) =>
        (world: ExclusiveWorld) =>
          world.end(one, code),
    ),
    name.map((one) => (world: ExclusiveWorld) => world.person(world.drain(one))),
    name.map((one) => (world: ExclusiveWorld) => world.person(world.uncordon(one))),
    name.map((one) => (world: ExclusiveWorld) => world.person(world.abandon(one))),
    name.map((one) => (world: ExclusiveWorld) => world.person(world.approve(one))),
    fc.nat(3).map((index) => (world: ExclusiveWorld) => world.person(world.force(index))),
    fc.constant((world: ExclusiveWorld) => world.crash()),
  );
}
