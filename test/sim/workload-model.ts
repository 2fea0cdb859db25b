import { hasEnded, type WorkloadView } from '@clawbernetes/protocol';
import type { Simulation } from './simulation.ts';

interface Known {
  readonly id: string;
  readonly exitCode: number;
  readonly output: string;
  stopped: boolean;
  end: WorkloadView | undefined;
}

/** Ended workloads are looked at again this rarely: they should not change. */
const FULL_CHECK_EVERY = 500;

/** Submits work from the seed, and checks what the fleet makes of it against a small model of its own. */
export class WorkloadModel {
  readonly violations: string[] = [];
  acknowledged = 0;
  refused = 0;
  readonly #simulation: Simulation;
  readonly #known = new Map<string, Known>();
  /** Those that have not ended, as far as was seen. */
  readonly #live = new Set<Known>();
  #made = 0;
  #checks = 0;
  #nextEvent = 1;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  get size(): number {
    return this.#known.size;
  }

  /** One workload; only an acknowledged one is held against the fleet. */
  async submit(): Promise<void> {
    const { random } = this.#simulation;
    this.#made += 1;
    const exitCode = random.fraction() < 0.2 ? 1 + Math.floor(random.fraction() * 200) : 0;
    const output =
      random.fraction() < 0.5 ? `output ${this.#made}\n`.repeat(1 + Math.floor(random.fraction() * 50)) : '';
    const env = {
      VIRTUAL_MS: String(Math.floor(1 + random.fraction() ** 3 * 60_000)),
      VIRTUAL_EXIT: String(exitCode),
      ...(output === '' ? {} : { VIRTUAL_OUTPUT: output }),
    };
    const spec = { command: ['virtual'], env, resources: { gpus: Math.floor(random.fraction() * 4) } };
    try {
      const { id } = await this.#simulation.execute('workload.run', {
        spec,
        idempotencyKey: `sim-key-${this.#made}`,
      });
      const known = { id, exitCode, output, stopped: false, end: undefined };
      this.#known.set(id, known);
      this.#live.add(known);
      this.acknowledged += 1;
    } catch {
      this.refused += 1;
    }
  }

  async stopOne(): Promise<void> {
    const live = [...this.#live];
    const chosen = live[Math.floor(this.#simulation.random.fraction() * live.length)];
    if (!chosen) return;
    chosen.stopped = true;
    await this.#simulation
      .execute('workload.stop', { workload: chosen.id, force: false })
      .catch(() => undefined);
  }

  /** Invariants that hold at every moment; what the fleet says counts once it is durable. */
  check(): void {
    this.#checkDevices();
    const { gateway } = this.#simulation;
    if (!gateway) return;
    this.#checkAccounting(gateway);
    const seen: [Known, WorkloadView][] = [];
    this.#checks += 1;
    for (const known of this.#checks % FULL_CHECK_EVERY === 0 ? this.#known.values() : this.#live) {
      const workload = gateway.fleet.findWorkload(known.id);
      if (workload) seen.push([known, gateway.fleet.workloadView(workload)]);
      else this.#violate(`${known.id} was acknowledged and is gone`);
    }
    const judge = (): void => seen.forEach(([known, view]) => this.#judge(known, view));
    gateway.fleet.durable().then(judge, () => undefined);
  }

  #judge(known: Known, view: WorkloadView): void {
    if (known.end) this.#checkAbsorbing(known.end, view);
    else if (hasEnded(view.state)) this.#checkEnd(known, view);
  }

  /** Event numbers have no gap and no repeat, over all crashes. */
  async checkEvents(): Promise<void> {
    const { gateway } = this.#simulation;
    if (!gateway) return;
    const stored = gateway.fleet.events({ from: this.#nextEvent, limit: 5000 });
    for (const event of await stored.catch(() => [])) {
      if (event.sequence !== this.#nextEvent)
        this.#violate(`event ${this.#nextEvent} is missing before ${event.sequence}`);
      this.#nextEvent = event.sequence + 1;
    }
  }

  /** Invariants of the end, when all faults are over and all work had time to finish. */
  async checkQuiet(): Promise<void> {
    const { gateway, machines } = this.#simulation;
    if (!gateway) return this.#violate('the gateway did not come back');
    for (const known of this.#known.values()) {
      if (!known.end) this.#violate(`${known.id} never ended`);
      else if (known.end.startedAtMs !== undefined && !known.stopped) await this.#checkLog(known);
    }
    for (const { name, supervisor } of machines) {
      if (supervisor.size > 0) this.#violate(`${name} still holds ${supervisor.size} attempts`);
      const view = gateway.fleet.nodeView(gateway.fleet.node(name));
      if (view.connectivity !== 'connected') this.#violate(`${name} is ${view.connectivity}`);
      if (view.free.gpus !== view.capacity.gpus) this.#violate(`${name} has GPUs that nobody freed`);
    }
  }

  #checkDevices(): void {
    for (const { name, supervisor } of this.#simulation.machines) {
      const inUse = supervisor.devicesInUse();
      if (new Set(inUse).size !== inUse.length) this.#violate(`a GPU of ${name} is in two live attempts`);
    }
  }

  #checkAccounting({ fleet }: NonNullable<Simulation['gateway']>): void {
    for (const node of fleet.nodes()) {
      const devices = fleet.liveAttempts(node.id).flatMap((attempt) => attempt.devices);
      if (new Set(devices).size !== devices.length)
        this.#violate(`the fleet gave a GPU of ${node.name} twice`);
    }
  }

  #checkAbsorbing(end: WorkloadView, now: WorkloadView): void {
    const same =
      end.state === now.state && end.exitCode === now.exitCode && end.attempt?.id === now.attempt?.id;
    if (!same) this.#violate(`${end.id} was ${end.state} and became ${now.state}`);
  }

  #checkEnd(known: Known, view: WorkloadView): void {
    known.end = view;
    this.#live.delete(known);
    const expected = known.stopped
      ? ['cancelled', 'succeeded', 'failed']
      : [known.exitCode === 0 ? 'succeeded' : 'failed'];
    if (!expected.includes(view.state))
      this.#violate(`${known.id} is ${view.state}, expected ${expected.join(' or ')}: ${view.message}`);
    if (!known.stopped && view.exitCode !== known.exitCode) {
      this.#violate(`${known.id} ended with ${view.exitCode}, expected ${known.exitCode}`);
    }
    if ((view.attempt?.number ?? 1) !== 1) this.#violate(`${known.id} was started again`);
  }

  async #checkLog({ id, output }: Known): Promise<void> {
    const { entries, complete } = await this.#simulation.execute('workload.logs', {
      workload: id,
      maxBytes: 1_048_576,
    });
    const text = entries.map((entry) => entry.data).join('');
    if (text !== output)
      this.#violate(`the log of ${id} has ${text.length} characters, expected ${output.length}`);
    if (!complete) this.#violate(`the log of ${id} is not complete`);
  }

  #violate(what: string): void {
    if (this.violations.length < 100)
      this.violations.push(`${this.#simulation.clock.monotonicMs()} ms: ${what}`);
  }
}
