import type { Random } from '@clawbernetes/kernel';
import { hasEnded, type CommandInput } from '@clawbernetes/protocol';
import type { FleetLook } from './fleet-look.ts';
import type { Simulation } from './simulation.ts';

/** They claim nothing from others: what makes room for their work is their own. */
const QUEUES = ['sim-a', 'sim-b', 'sim-b/x', 'sim-b/y'] as const;
const LEAVES = ['sim-a', 'sim-b/x', 'sim-b/y'] as const;
const MAX_LIVE = 30;
const MAX_LIMIT = 8;
/** So many edits ask for a queue to be deleted; what has work or queues below it is refused. */
const DELETED = 0.3;
/** A place is kept so long at most after its last victim was told to go, ms. */
const KEPT_MS = 75_000;

/**
 * Submits work of different priority to queues whose limits are edited meanwhile, and checks that no start
 * passes a limit and that all of it ends.
 */
export class QueueModel {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #live = new Map<string, { readonly id: string; readonly endless: boolean }>();
  /** Limits as they were last answered; absent = none, or not known. */
  readonly #limits = new Map<string, number>();
  /** What each used when it was looked at last. */
  #used = new Map<string, number>();
  readonly #ready = new Set<string>();
  /** By node, monotonic ms. */
  readonly #keptUntilMs = new Map<string, number>();
  /** Nodes of which places may be kept for as long as nothing changes. */
  #keeping: readonly string[] = [];
  readonly #preemptions = new Map<string, number>();
  #editing = 0;
  #made = 0;

  constructor(simulation: Simulation, random: Random) {
    this.#simulation = simulation;
    this.#random = random;
  }

  async submit(): Promise<void> {
    if (this.#live.size >= MAX_LIVE) return;
    const chance = (of: number): boolean => this.#random.fraction() < of;
    const queue = LEAVES[Math.floor(this.#random.fraction() * LEAVES.length)] ?? 'sim-a';
    const endless = chance(0.25);
    this.#made += 1;
    const spec: CommandInput<'workload.run'>['spec'] = {
      command: ['virtual'],
      env: {
        VIRTUAL_MS: endless ? 'Infinity' : String(Math.floor(1 + this.#random.fraction() ** 2 * 300_000)),
      },
      resources: gpusOf(this.#random.fraction()),
      priority: Math.floor(this.#random.fraction() * 5) - 2,
      queue,
      ...(chance(0.3) ? { timeoutMs: 400_000 } : {}),
    };
    if (!this.#ready.has(queue)) return;
    const request = { spec, idempotencyKey: `sim-queue-${this.#made}` };
    await this.#simulation.execute('workload.run', request).then(
      ({ id }) => void this.#live.set(id, { id, endless }),
      () => undefined,
    );
  }

  /** Makes one that is missing, deletes one if nothing keeps it, or gives one another limit. */
  async edit(): Promise<void> {
    const missing = QUEUES.find((queue) => !this.#ready.has(queue));
    if (missing !== undefined) return this.#create(missing);
    const queue = QUEUES[Math.floor(this.#random.fraction() * QUEUES.length)] ?? 'sim-a';
    if (this.#random.fraction() < DELETED) return this.#delete(queue);
    const gpus = Math.floor(this.#random.fraction() * (MAX_LIMIT + 1));
    await this.#change(queue, this.#random.fraction() < 0.2 ? undefined : gpus);
  }

  /** No limits any more, so that all of it can end. */
  async release(): Promise<void> {
    for (const queue of this.#ready) await this.#change(queue, undefined);
  }

  async finishOne(): Promise<void> {
    const one = this.#live.values().find(({ endless }) => endless);
    if (one)
      await this.#simulation
        .execute('workload.stop', { workload: one.id, force: false })
        .catch(() => undefined);
  }

  /** Whether a place may be kept there: others made room for somebody, or a time limit says when there is. */
  mayKeep(nodeId: string): boolean {
    return this.#simulation.clock.monotonicMs() < (this.#keptUntilMs.get(nodeId) ?? 0);
  }

  check(look: FleetLook | undefined): void {
    if (!look) {
      this.#used.clear();
      return;
    }
    if (!look.isFresh) return this.#keepOn();
    const { fleet } = look;
    const used = usedBy(look);
    for (const [queue, limit] of this.#limits) {
      const now = used.get(queue) ?? 0;
      const before = this.#used.get(queue);
      if (this.#editing === 0 && before !== undefined && now > Math.max(limit * 1000, before))
        this.#simulation.violate(`queue ${queue} uses ${now / 1000} GPUs, above its limit of ${limit}`);
      if (this.#ready.has(queue) && this.#editing === 0) this.#checkTold(fleet, queue, now);
    }
    this.#used = used;
    this.#lookForPlaces(look);
    for (const { id } of [...this.#live.values()]) {
      const workload = fleet.findWorkload(id);
      if (!workload) this.#simulation.violate(`${id} of a queue was acknowledged and is gone`);
      else if (hasEnded(workload.state)) this.#live.delete(id);
    }
  }

  /** What it is said to use is what runs in it. */
  #checkTold(fleet: FleetLook['fleet'], queue: string, milli: number): void {
    const told = Math.round((fleet.queues.show(queue).used.gpus ?? 0) * 1000);
    if (told !== milli)
      this.#simulation.violate(`queue ${queue} is said to use ${told / 1000} GPUs, and uses ${milli / 1000}`);
  }

  #lookForPlaces(look: FleetLook): void {
    const { fleet, nodes } = look;
    const untilMs = this.#simulation.clock.monotonicMs() + KEPT_MS;
    const limited = nodes.flatMap(({ id }) =>
      look.live(id).some(({ workloadId }) => fleet.findWorkload(workloadId)?.spec.timeoutMs !== undefined)
        ? id
        : [],
    );
    // For a gang what is free is kept as well.
    this.#keeping = limited.length > 0 && waitsAGang(fleet) ? nodes.map(({ id }) => id) : limited;
    this.#keepOn();
    for (const { id } of this.#live.values()) {
      const workload = fleet.findWorkload(id);
      const { preemptions = 0 } = workload ?? {};
      if (!workload || preemptions === (this.#preemptions.get(id) ?? 0)) continue;
      this.#preemptions.set(id, preemptions);
      for (const { evicted, nodeId } of fleet.attemptViews(workload)) {
        if (evicted?.cause !== 'preemptor') continue;
        this.#keptUntilMs.set(nodeId, untilMs);
        // If it went for a gang, what is free for its other members is kept as well, wherever that is.
        if (waitsAGang(fleet)) for (const { id: anyNode } of nodes) this.#keptUntilMs.set(anyNode, untilMs);
      }
    }
  }

  #keepOn(): void {
    const untilMs = this.#simulation.clock.monotonicMs() + KEPT_MS;
    for (const id of this.#keeping) this.#keptUntilMs.set(id, untilMs);
  }

  checkQuiet(): void {
    for (const { id } of this.#live.values()) {
      const state = this.#simulation.gateway?.fleet.findWorkload(id)?.state;
      if (state === undefined || !hasEnded(state))
        this.#simulation.violate(`${id} of a queue never ended: ${state}`);
    }
  }

  async #create(queue: string): Promise<void> {
    const settings = { weight: 0, minRuntimeMs: 5000 };
    await this.#simulation.execute('queue.create', { queue, ...settings }).then(
      () => void this.#ready.add(queue),
      // It was made, and the answer was lost.
      async () =>
        this.#simulation.execute('queue.show', { queue }).then(
          () => void this.#ready.add(queue),
          () => undefined,
        ),
    );
  }

  async #delete(queue: string): Promise<void> {
    const limit = this.#limits.get(queue);
    this.#limits.delete(queue);
    this.#ready.delete(queue);
    await this.#simulation.execute('queue.delete', { queue }).catch(async () => {
      // It was refused, or the answer was lost.
      await this.#simulation.execute('queue.show', { queue }).then(
        () => {
          this.#ready.add(queue);
          if (limit !== undefined) this.#limits.set(queue, limit);
        },
        () => undefined,
      );
    });
    this.#used.clear();
  }

  /** Until it is answered nobody knows which limit holds. */
  async #change(queue: string, gpus: number | undefined): Promise<void> {
    this.#limits.delete(queue);
    this.#editing += 1;
    const input = gpus === undefined ? { queue, unset: ['limit' as const] } : { queue, limit: { gpus } };
    await this.#simulation.execute('queue.update', input).then(
      () => {
        if (gpus !== undefined) this.#limits.set(queue, gpus);
      },
      () => undefined,
    );
    this.#editing -= 1;
    this.#used.clear();
  }
}

/** Up to three, or a MIG instance. */
function gpusOf(roll: number): { readonly gpus: number; readonly migProfile?: string } {
  if (roll < 0.4 || roll > 0.5) return { gpus: Math.floor(roll * 4) };
  return { gpus: 1, migProfile: roll < 0.45 ? '1g.10gb' : '3g.40gb' };
}

function waitsAGang(fleet: FleetLook['fleet']): boolean {
  return fleet.workloads('default').some(({ state, spec }) => spec.gang && state === 'queued');
}

/** Thousandths of an H100 that an instance of it is: of its seven slices one or three. */
const PART: Readonly<Record<string, number>> = { '1g.10gb': 142, '3g.40gb': 428 };

/** Thousandths of GPUs by queue, of those above as well. */
function usedBy(look: FleetLook): Map<string, number> {
  const used = new Map<string, number>();
  for (const { id } of look.nodes)
    for (const { workloadId, devices, gpuMilli = 1000 } of look.live(id)) {
      const { queue: own = 'default', resources } = look.fleet.findWorkload(workloadId)?.spec ?? {};
      const milli = devices.length * (PART[resources?.migProfile ?? ''] ?? gpuMilli);
      const path = own.split('/');
      for (let depth = path.length; depth > 0; depth -= 1) {
        const queue = path.slice(0, depth).join('/');
        used.set(queue, (used.get(queue) ?? 0) + milli);
      }
    }
  return used;
}
