import { canonicalJson, type Json } from '@clawbernetes/kernel';
import { hasEnded, type CommandInput, type NodeView, type WorkloadView } from '@clawbernetes/protocol';
import type { Simulation } from './simulation.ts';

interface Request {
  readonly key: string;
  readonly exitCode: number;
  readonly output: string;
  /** Runs until it is stopped. */
  readonly endless: boolean;
  readonly input: CommandInput<'workload.run'>;
}

interface Known extends Request {
  readonly id: string;
  /** Its stop was asked for; and whether that was answered. */
  mayBeStopped: boolean;
  stopped: boolean;
  /** A supervisor died while it lived, and perhaps the workload with it. */
  mayBeLost: boolean;
  end: WorkloadView | undefined;
}

/** Ended workloads are looked at again this rarely: they should not change. */
const FULL_CHECK_EVERY = 500;
/** Requests that got no answer and are made again later. */
const MAX_UNANSWERED = 100;

/** Submits work from the seed, and checks what the fleet makes of it against a small model of its own. */
export class WorkloadModel {
  readonly violations: string[] = [];
  acknowledged = 0;
  refused = 0;
  readonly #simulation: Simulation;
  readonly #known = new Map<string, Known>();
  readonly #byKey = new Map<string, Known>();
  readonly #unanswered: Request[] = [];
  /** Those that have not ended, as far as was seen. */
  readonly #live = new Set<Known>();
  /** Workloads whose end is in the event log. */
  readonly #endEvents = new Set<string>();
  /** Waiting workloads that would have fitted when last looked at. */
  #fitting = new Set<string>();
  #made = 0;
  #checks = 0;
  #nextEvent = 1;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  readonly violate = (what: string): void => {
    if (this.violations.length < 100)
      this.violations.push(`${this.#simulation.clock.monotonicMs()} ms: ${what}`);
  };

  /** One workload; only an acknowledged one is held against the fleet. */
  async submit(): Promise<void> {
    await this.#send(this.#newRequest());
  }

  /** A request as before: one that had no answer, or one that had. It must not make a second workload. */
  async submitAgain(): Promise<void> {
    const { random } = this.#simulation;
    const known = [...this.#known.values()];
    const request = this.#unanswered.shift() ?? known[Math.floor(random.fraction() * known.length)];
    if (request) await this.#send(request);
  }

  async stopOne(): Promise<void> {
    const live = [...this.#live];
    const chosen = live[Math.floor(this.#simulation.random.fraction() * live.length)];
    if (chosen) await this.#stop(chosen);
  }

  /** Stops one of those that would never end, and that nobody has stopped yet. */
  async finishOne(): Promise<void> {
    const endless = [...this.#live].find((known) => known.endless && !known.stopped);
    if (endless) await this.#stop(endless);
    else if (this.#unanswered.length > 0) await this.submitAgain();
  }

  /** What runs now may be lost, through no fault of the fleet's. */
  supervisorCrashed(): void {
    for (const known of this.#live) known.mayBeLost = true;
  }

  #newRequest(): Request {
    const { random } = this.#simulation;
    this.#made += 1;
    const exitCode = random.fraction() < 0.2 ? 1 + Math.floor(random.fraction() * 200) : 0;
    const line = `output ${this.#made}\n`;
    const parts = 1 + Math.floor(random.fraction() * 4);
    const part = random.fraction() < 0.5 ? line.repeat(1 + Math.floor(random.fraction() * 20)) : '';
    const endless = random.fraction() < 0.02;
    const env = {
      VIRTUAL_MS: endless ? 'Infinity' : String(Math.floor(1 + random.fraction() ** 3 * 60_000)),
      VIRTUAL_EXIT: String(exitCode),
      ...(part === '' || endless
        ? {}
        : { VIRTUAL_OUTPUT: Array.from({ length: parts }, () => part).join('\f') }),
    };
    const spec = { command: ['virtual'], env, resources: { gpus: Math.floor(random.fraction() * 4) } };
    const key = `sim-key-${this.#made}`;
    const output = endless ? '' : part.repeat(parts);
    return { key, exitCode, output, endless, input: { spec, idempotencyKey: key } };
  }

  async #send(request: Request): Promise<void> {
    const { key } = request;
    try {
      const { id } = await this.#simulation.execute('workload.run', request.input);
      const before = this.#byKey.get(key);
      if (before && before.id !== id) this.violate(`${key} made ${before.id} and ${id}`);
      if (before) return;
      const known = { ...request, id, mayBeStopped: false, stopped: false, mayBeLost: false, end: undefined };
      this.#known.set(id, known);
      this.#byKey.set(key, known);
      this.#live.add(known);
      this.acknowledged += 1;
    } catch {
      this.refused += 1;
      if (!this.#byKey.has(key) && this.#unanswered.length < MAX_UNANSWERED) this.#unanswered.push(request);
    }
  }

  /** Only an answered request counts: then it must end, wherever its node is. */
  async #stop(known: Known): Promise<void> {
    known.mayBeStopped = true;
    await this.#simulation.execute('workload.stop', { workload: known.id, force: false }).then(
      () => (known.stopped = true),
      () => undefined,
    );
  }

  /** Invariants that hold at every moment; what the fleet says counts once it is durable. */
  check(): void {
    this.#checkDevices();
    const { gateway } = this.#simulation;
    if (!gateway) return;
    this.#checkAccounting(gateway);
    this.#checkWaiting(gateway);
    const seen: [Known, WorkloadView][] = [];
    this.#checks += 1;
    for (const known of this.#checks % FULL_CHECK_EVERY === 0 ? this.#known.values() : this.#live) {
      const workload = gateway.fleet.findWorkload(known.id);
      if (workload) seen.push([known, gateway.fleet.workloadView(workload)]);
      else this.violate(`${known.id} was acknowledged and is gone`);
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
        this.violate(`event ${this.#nextEvent} is missing before ${event.sequence}`);
      this.#nextEvent = event.sequence + 1;
      if (!/^workload\.(succeeded|failed|cancelled)$/.test(event.type)) continue;
      if (this.#endEvents.has(event.subject)) this.violate(`${event.subject} ended twice`);
      this.#endEvents.add(event.subject);
    }
  }

  /** Invariants of the end, when all faults are over and all work had time to finish. */
  async checkQuiet(): Promise<void> {
    const { gateway, machines } = this.#simulation;
    if (!gateway) return this.violate('the gateway did not come back');
    for (const known of this.#known.values()) {
      if (!known.end)
        this.violate(`${known.id} never ended: it is ${gateway.fleet.findWorkload(known.id)?.state}`);
      else if (known.end.exitCode !== undefined && !known.mayBeStopped) await this.#checkLog(known);
    }
    for (const { id } of gateway.fleet.workloads('default'))
      if (!this.#endEvents.has(id)) this.violate(`no event tells of the end of ${id}`);
    for (const { name, supervisor } of machines) {
      if (supervisor.size > 0) this.violate(`${name} still holds ${supervisor.size} attempts`);
      const view = gateway.fleet.nodeView(gateway.fleet.node(name));
      if (view.connectivity !== 'connected') this.violate(`${name} is ${view.connectivity}`);
      if (view.free.gpus !== view.capacity.gpus) this.violate(`${name} has GPUs that nobody freed`);
    }
  }

  /** What a gateway reads back is what the one before had in memory. */
  async checkReplay(): Promise<void> {
    const simulation = this.#simulation;
    const views = (): string[] => {
      const fleet = simulation.gateway?.fleet;
      return (
        fleet?.workloads('default').map((record) => canonicalJson(asJson(fleet.workloadView(record)))) ?? []
      );
    };
    const before = views().toSorted();
    simulation.crashGateway();
    const starting = simulation.startGateway();
    await simulation.clock.advance(1000);
    await starting;
    const after = views().toSorted();
    for (const [index, view] of before.entries())
      if (view !== after[index]) this.violate(`after a restart ${view} is ${after[index]}`);
  }

  #checkDevices(): void {
    for (const { name, supervisor } of this.#simulation.machines) {
      const inUse = supervisor.devicesInUse();
      if (new Set(inUse).size !== inUse.length) this.violate(`a GPU of ${name} is in two live attempts`);
    }
  }

  #checkAccounting({ fleet }: NonNullable<Simulation['gateway']>): void {
    for (const node of fleet.nodes()) {
      const devices = fleet.liveAttempts(node.id).flatMap((attempt) => attempt.devices);
      if (new Set(devices).size !== devices.length)
        this.violate(`the fleet gave a GPU of ${node.name} twice`);
    }
  }

  /** Nobody waits while there is room, for longer than one look; and whoever waits is told why. */
  #checkWaiting({ fleet }: NonNullable<Simulation['gateway']>): void {
    const nodes = fleet.nodes().map((node) => fleet.nodeSummary(node));
    const fitting = new Set<string>();
    for (const { id } of this.#live) {
      const workload = fleet.findWorkload(id);
      if (workload?.state !== 'queued') continue;
      const { resources } = workload.spec;
      if (!nodes.some((node) => isReady(node) && node.free.gpus >= resources.gpus)) continue;
      fitting.add(id);
      if (this.#fitting.has(id)) this.violate(`${id} waits although there is room for it`);
    }
    this.#fitting = fitting;
  }

  #checkAbsorbing(end: WorkloadView, now: WorkloadView): void {
    const same =
      end.state === now.state && end.exitCode === now.exitCode && end.attempt?.id === now.attempt?.id;
    if (!same) this.violate(`${end.id} was ${end.state} and became ${now.state}`);
  }

  #checkEnd(known: Known, view: WorkloadView): void {
    known.end = view;
    this.#live.delete(known);
    if (known.stopped && view.state !== 'cancelled')
      this.violate(`${known.id} was stopped and ${view.state}`);
    if (!known.mayBeStopped && !this.#wasLost(known, view)) this.#checkExit(known, view);
    if ((view.attempt?.number ?? 1) !== 1) this.violate(`${known.id} was started again`);
  }

  #wasLost({ mayBeLost }: Known, { attempt }: WorkloadView): boolean {
    return mayBeLost && attempt?.state === 'lost' && attempt.endReason === 'supervisor-lost';
  }

  #checkExit({ id, exitCode }: Known, view: WorkloadView): void {
    const expected = exitCode === 0 ? 'succeeded' : 'failed';
    if (view.state !== expected)
      this.violate(`${id} is ${view.state}, expected ${expected}: ${view.message}`);
    if (view.exitCode !== exitCode) this.violate(`${id} ended with ${view.exitCode}, expected ${exitCode}`);
  }

  async #checkLog({ id, output }: Known): Promise<void> {
    const { entries, complete } = await this.#simulation.execute('workload.logs', {
      workload: id,
      maxBytes: 1_048_576,
    });
    const text = entries.map((entry) => entry.data).join('');
    if (text !== output)
      this.violate(`the log of ${id} has ${text.length} characters, expected ${output.length}`);
    if (!complete) this.violate(`the log of ${id} is not complete`);
  }
}

function isReady(node: Pick<NodeView, 'connectivity' | 'eligibility'>): boolean {
  return node.connectivity === 'connected' && node.eligibility === 'schedulable';
}

function asJson(view: WorkloadView): Json {
  return JSON.parse(JSON.stringify(view)) as Json;
}
