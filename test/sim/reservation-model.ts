import type { Random } from '@clawbernetes/kernel';
import type { CommandInput, ReservationView } from '@clawbernetes/protocol';
import type { FleetLook } from './fleet-look.ts';
import { heldIn } from './reservation-rows.ts';
import type { Simulation } from './simulation.ts';

const MAX_LIVE = 4;
const QUEUES = ['sim-a', 'sim-b'] as const;
/** What must go is asked to so long after it is due at the latest, beside freezes and restarts, ms. */
const LATE_MS = 10_000;

/** What was answered when it was made. */
type Answered = Pick<ReservationView, 'startMs' | 'endMs' | 'nodes'>;

/**
 * Makes and deletes reservations, for queues and for maintenance, and checks that those that were answered
 * stay as they are until their end, that none comes back, and that what is in their way is asked to go in
 * time.
 */
export class ReservationModel {
  readonly #simulation: Simulation;
  readonly #random: Random;
  /** Answered and not deleted; by name. */
  readonly #known = new Map<string, Answered>();
  /** That they were deleted was answered. */
  readonly #over = new Set<string>();
  /** By name, how often it was asked for. */
  readonly #asked = new Map<string, number>();
  #held: ReadonlySet<string> = new Set();
  /** By attempt to come: since when its end is overdue; monotonic ms. */
  #overdue = new Map<string, number>();
  #made = 0;

  constructor(simulation: Simulation, random: Random) {
    this.#simulation = simulation;
    this.#random = random;
  }

  async create(): Promise<void> {
    if (this.#known.size >= MAX_LIVE) return;
    this.#made += 1;
    const name = `sim-res-${this.#made}`;
    const request = { ...this.#time(), ...this.#what(), name };
    const again = this.#random.fraction() < 0.3;
    for (let times = 1; times <= (again ? 2 : 1); times += 1) {
      // It may have been deleted meanwhile.
      this.#over.delete(name);
      this.#asked.set(name, times);
      await this.#simulation.execute('reservation.create', request).then(
        (view) => this.#answered(view),
        () => undefined,
      );
    }
  }

  async deleteOne(): Promise<void> {
    const [name] = this.#known.keys();
    if (name !== undefined) await this.#delete(name);
  }

  /** All of them, also those whose answer got lost. */
  async release(): Promise<void> {
    for (const name of [...this.#asked.keys()]) await this.#delete(name);
  }

  /** Whether anything of it is kept from somebody. */
  mayKeep(nodeId: string): boolean {
    return this.#held.has(nodeId);
  }

  check(look: FleetLook | undefined): void {
    if (!look) {
      this.#overdue.clear();
      return;
    }
    const { clock } = this.#simulation;
    const views = look.fleet.reservations.list();
    const names = new Set(views.map(({ name }) => name));
    const nodes = new Set(views.flatMap((view) => view.nodes.map(({ node }) => node)));
    this.#held = new Set(look.nodes.filter(({ name }) => nodes.has(name)).map(({ id }) => id));
    const nowMs = clock.nowMs();
    for (const view of views) this.#checkThere(view);
    for (const [name, { endMs }] of [...this.#known]) {
      if (names.has(name)) continue;
      if (nowMs < endMs) this.#simulation.violate(`reservation ${name} was answered and is gone`);
      this.#known.delete(name);
    }
    this.#checkOverdue(look, views, clock.monotonicMs(), nowMs);
  }

  #checkThere(view: ReservationView): void {
    const { violate, rows } = this.#simulation;
    const { name, startMs, endMs } = view;
    if (this.#over.has(name)) violate(`reservation ${name} was deleted and is there`);
    const answered = this.#known.get(name);
    if (!answered) return;
    if (answered.startMs !== startMs || answered.endMs !== endMs)
      violate(`reservation ${name} has another time than was answered`);
    if (heldIn(answered) !== heldIn(view) && !rows.mendedReservations.has(name))
      violate(`reservation ${name} holds ${heldIn(view)}; answered was ${heldIn(answered)}`);
  }

  #checkOverdue(
    look: FleetLook,
    views: readonly ReservationView[],
    monotonicMs: number,
    nowMs: number,
  ): void {
    const before = this.#overdue;
    this.#overdue = new Map();
    if (look.fleet.freeze) return;
    for (const { name, outlasting } of views)
      for (const { workload, stopsAtMs } of outlasting) {
        const attempt = look.fleet.latestAttempt(workload);
        // Of a gang each member is one; its model looks at them.
        const isSingle = attempt?.rank === undefined && attempt?.evicted === undefined;
        if (stopsAtMs === undefined || stopsAtMs > nowMs || !isSingle) continue;
        const key = `${name} ${workload}`;
        const sinceMs = before.get(key) ?? monotonicMs;
        this.#overdue.set(key, sinceMs);
        if (monotonicMs - sinceMs > LATE_MS)
          this.#simulation.violate(`${workload} is in the way of ${name} and is not asked to go`);
      }
  }

  #answered({ name, startMs, endMs, nodes }: ReservationView): void {
    this.#known.set(name, { startMs, endMs, nodes });
  }

  async #delete(name: string): Promise<void> {
    // Whether the answer comes or not, it may be gone from now on.
    this.#known.delete(name);
    const asked = this.#asked.get(name);
    await this.#simulation.execute('reservation.delete', { reservation: name }).then(
      () => {
        // Unless it was asked for anew since.
        if (this.#asked.get(name) === asked && this.#asked.delete(name)) this.#over.add(name);
      },
      () => undefined,
    );
  }

  #time(): { readonly start: string; readonly durationMs: number } {
    const seconds = Math.floor(this.#random.fraction() ** 2 * 600);
    const start = this.#random.fraction() < 0.2 ? 'now' : `+${seconds}s`;
    return { start, durationMs: 60_000 + Math.floor(this.#random.fraction() * 600_000) };
  }

  #what(): Omit<CommandInput<'reservation.create'>, 'name' | 'start'> {
    const running = this.#random.fraction() < 0.5 ? ('evict' as const) : ('leave' as const);
    const noticeMs = Math.floor(this.#random.fraction() * 60_000);
    const machines = this.#simulation.machines.map(({ name }) => name);
    const node = machines[Math.floor(this.#random.fraction() * machines.length)] ?? '';
    if (this.#random.fraction() < 0.4) return { purpose: 'maintenance', nodes: [node], running, noticeMs };
    const queue = QUEUES[Math.floor(this.#random.fraction() * QUEUES.length)] ?? 'sim-a';
    const gpus = 1 + Math.floor(this.#random.fraction() * 6);
    return { gpus, queues: [queue], running, noticeMs };
  }
}
