import type { FleetCore } from '../fleet-core.ts';
import { amountOf, NOTHING } from '../scheduler/queues/amounts.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { Queue } from '../scheduler/queues/queue-tree.ts';
import { Evictions, type Victim } from '../scheduler/queues/victims.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import type { Sliced } from '../scheduler/slices.ts';
import { isEnded } from '../workload/lifecycle.ts';
import type { Round } from './candidates-on-nodes.ts';
import type { PlaceHolds } from './place-holds.ts';
import type { QueueRegime } from './queue-regime.ts';
import { queueSituation, queueState, type AlikeNodes, type QueueSituation } from './queue-situation.ts';
import { findRunning, type RunningWork } from './running-work.ts';
import { waitingWork } from './waiting-work.ts';

export interface RoundDeps {
  readonly core: FleetCore;
  readonly holds: PlaceHolds;
  /** The fleet by likeness, for what it has in all. */
  readonly fleet: () => Iterable<AlikeNodes>;
}

/**
 * One look for work that makes room: the queues and what runs, as they are when it begins. It may take
 * several turns, so what it finds holds only if `isStillTrue` says so.
 */
export class RoomRound implements Round {
  readonly #deps: RoundDeps;
  readonly situation: QueueSituation;
  evictions: Evictions;
  running: ReadonlyMap<string, RunningWork> = new Map();
  readonly #regime: QueueRegime;
  /** By queue without children, how often something began or ended in it. */
  readonly #moves: ReadonlyMap<string, number>;

  private constructor(deps: RoundDeps) {
    const { core } = deps;
    this.#deps = deps;
    this.#regime = core.queues.regime;
    this.#moves = core.accounts.moves();
    this.situation = this.#situationNow();
    this.evictions = new Evictions({ ...this.#input(this.situation), units: [] });
  }

  /** Undefined if none of them has a claim: then what runs is not looked at. */
  static *begin(deps: RoundDeps, groups: readonly QueuedShape[]): Sliced<RoomRound | undefined> {
    const round = new RoomRound(deps);
    const { situation, evictions: claims } = round;
    const isWorthIt = groups.some(
      (group) =>
        deps.core.accounts.runsBelow(group.queue, group.priority) ||
        claims.hasClaim(waitingWork(group.key, group, situation)),
    );
    if (!isWorthIt) return undefined;
    round.running = yield* findRunning(deps.core);
    const units = Array.from(round.running.values(), ({ unit }) => unit);
    round.evictions = new Evictions({ ...round.#input(situation), units });
    return round;
  }

  /** Whether the queues are those that it began with. */
  get isCurrent(): boolean {
    return this.#deps.core.queues.regime === this.#regime;
  }

  /** Whether a unit still runs, and nobody has asked for its end. */
  runs(unitId: string): boolean {
    const { workloads } = this.#deps.core;
    const attempts = this.running.get(unitId)?.attempts ?? [];
    return attempts.every(({ id, workloadId }) => {
      const attempt = workloads.attempt(id);
      const isGoing = !attempt || attempt.evicted !== undefined || isEnded(attempt.state);
      return !isGoing && workloads.workload(workloadId)?.stopRequested !== true;
    });
  }

  /** Whether these may still go for it. */
  isStillTrue(work: WaitingWork, victims: readonly Victim[]): boolean {
    const { core } = this.#deps;
    if (!victims.every(({ unit }) => this.runs(unit.id))) return false;
    const reclaimed = victims.filter(({ ground }) => ground !== 'priority');
    if (reclaimed.length === 0) return true;
    const now = this.#situationNow();
    const claims = new Evictions({ ...this.#input(now), units: [] });
    const moves = core.accounts.moves();
    return reclaimed.every(({ unit, ground }) => {
      const meeting = now.tree.meeting(work.queue, unit.queue);
      if (!meeting || claims.groundOf(work, meeting.ours) !== ground) return false;
      return this.#isAsItWas(meeting.theirs, moves) && !this.#hasGrown(meeting.theirs, now);
    });
  }

  /** What is borrowed there is borrowed still: nothing has begun or ended below. */
  #isAsItWas(queue: Queue, moves: ReadonlyMap<string, number>): boolean {
    for (const one of this.situation.tree.parentsFirst) {
      if (!one.path.includes(queue)) continue;
      if ((moves.get(one.name) ?? 0) !== (this.#moves.get(one.name) ?? 0)) return false;
    }
    return true;
  }

  #hasGrown({ name }: Queue, now: QueueSituation): boolean {
    const [before, after] = [this.situation.shares.get(name) ?? NOTHING, now.shares.get(name) ?? NOTHING];
    return after.entries().some(([dimension, amount]) => amount > amountOf(before, dimension));
  }

  /** Places that are kept count as if they were taken. The usage is a copy: the next turn has another. */
  #situationNow(): QueueSituation {
    const { core, fleet, holds } = this.#deps;
    const { isPlain } = this.#regime;
    // Without queues nobody has a claim, whatever waits.
    const situation = queueSituation(queueState(core), fleet(), isPlain ? [] : core.pending.demand.all());
    const usage = situation.usage.copy();
    if (!isPlain)
      for (const { queue, amounts } of holds.uncounted())
        usage.charge(queue, amounts, this.#regime.isPreemptible(queue));
    return { ...situation, usage };
  }

  #input(situation: QueueSituation): Omit<ConstructorParameters<typeof Evictions>[0], 'units'> {
    const { core } = this.#deps;
    return { ...situation, guards: core.options.queues.guards, nowMs: core.clock.nowMs() };
  }
}
