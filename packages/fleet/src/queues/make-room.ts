import { present } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import type { Placement } from '../scheduler/placement.ts';
import { planPlacements } from '../scheduler/plan.ts';
import { amountsAsked, amountsHeld, classChoices } from '../scheduler/queues/asked-amounts.ts';
import {
  choosePreemption,
  type PreemptionDomain,
  type PreemptionPlan,
} from '../scheduler/queues/choose-preemption.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { RunningUnit } from '../scheduler/queues/running-unit.ts';
import { Evictions, type Victim } from '../scheduler/queues/victims.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { withoutHolders, type Holder } from '../scheduler/why/holder.ts';
import { evict } from '../workload/evict.ts';
import { isEnded } from '../workload/lifecycle.ts';
import { queueSituation, queueState, type AlikeNodes, type QueueSituation } from './queue-situation.ts';
import type { PlaceHolds } from './place-holds.ts';
import { readReclaim, storedReclaim } from './stored-reclaim.ts';

/** Groups of what waits that are looked at in one round, and workloads that others make room for in it. */
const MAX_GROUPS = 8;
const MAX_PREEMPTORS = 4;
/** Nodes and tries of one search: it holds the event loop for that long. */
const LIMITS = { domains: 8, fitsCalls: 60 } as const;
/** What has not changed is tried again after so long, since guards end with time, ms. */
const TRY_AGAIN_MS = 5000;
/** And what has changed, not before, ms. */
const SOON_MS = 1000;
/** Looks take at most one part in so many of the time, however much runs. */
const TIME_SHARE = 20;

export interface MakeRoomDeps {
  readonly core: FleetCore;
  readonly packing: FleetPacking;
  readonly holds: PlaceHolds;
  /** Whether work may be taken off nodes at all now. */
  readonly mayMove: () => boolean;
  /** The fleet by likeness, for what it has in all. */
  readonly fleet: () => Iterable<AlikeNodes>;
}

interface Round {
  readonly situation: QueueSituation;
  readonly evictions: Evictions;
  readonly units: ReadonlyMap<string, RunningUnit>;
}

/**
 * Stops work of lower priority in the same queue, or borrowed work of others, for what would start in its
 * place: all of it, on one node. The place is then kept until the last of them has ended. What was tried in
 * vain is tried again once something has changed.
 */
export class MakeRoom {
  readonly #deps: MakeRoomDeps;
  /** By group: when it was tried in vain, and what the fleet was then. */
  readonly #tried = new Map<string, { readonly version: number; readonly atMs: number }>();
  #nextMs = -Infinity;

  constructor(deps: MakeRoomDeps) {
    this.#deps = deps;
  }

  /** Looks for work that others should make room for, if it is time to. */
  run(): void {
    const { core } = this.#deps;
    const startMs = core.clock.monotonicMs();
    if (startMs < this.#nextMs || !this.#deps.mayMove()) return;
    const groups = this.#worthTrying(startMs);
    this.#nextMs = startMs + this.#everyMs(groups.length === 0);
    const round = groups.length === 0 ? undefined : this.#round(groups);
    if (!round) return;
    let left = MAX_PREEMPTORS;
    for (const group of groups.slice(0, MAX_GROUPS)) {
      if (left === 0) break;
      if (this.#makeRoomFor(group, round)) left -= 1;
      else this.#tried.set(group.key, { version: this.#version, atMs: startMs });
    }
    this.#giveBackHeld(round);
    const tookMs = core.clock.monotonicMs() - startMs;
    this.#nextMs = startMs + Math.max(this.#everyMs(false), TIME_SHARE * tookMs);
  }

  /** With nothing to look for the next look comes sooner, but not in every turn. */
  #everyMs(isIdle: boolean): number {
    const { queues, options } = this.#deps.core;
    const { preemptionEveryMs } = options.queues;
    return isIdle ? (queues.regime.isPlain ? 0 : preemptionEveryMs / 4) : preemptionEveryMs;
  }

  get #version(): number {
    return this.#deps.core.nodes.version;
  }

  /** What waits although something that runs might have to go for it: told cheaply, being asked often. */
  #worthTrying(nowMs: number): readonly QueuedShape[] {
    const { core, holds } = this.#deps;
    const { accounts, pending } = core;
    const { isPlain } = core.queues.regime;
    if (isPlain && !pending.mayPreempt((queue, priority) => accounts.runsBelow(queue, priority))) return [];
    for (const [key, { atMs }] of this.#tried) if (nowMs - atMs >= TRY_AGAIN_MS) this.#tried.delete(key);
    return pending.waitingShapes(MAX_PREEMPTORS + holds.size).filter(({ key, queue, priority, shape }) => {
      const tried = this.#tried.get(key);
      if (shape.gang || (tried && (tried.version === this.#version || nowMs - tried.atMs < SOON_MS)))
        return false;
      return !isPlain || accounts.runsBelow(queue, priority);
    });
  }

  /**
   * What runs, and who may go for whom; places that are kept count as if they were taken. Undefined if nobody
   * has a claim: then what runs is not looked at.
   */
  #round(groups: readonly QueuedShape[]): Round | undefined {
    const { core, fleet, holds } = this.#deps;
    const { regime } = core.queues;
    const situation = queueSituation(queueState(core), fleet(), core.pending.queued());
    for (const { queue, amounts } of holds.all())
      if (!regime.isPlain) situation.usage.charge(queue, amounts, regime.isPreemptible(queue));
    const input = { ...situation, guards: core.options.queues.guards, nowMs: core.clock.nowMs() };
    const claims = new Evictions({ ...input, units: [] });
    const isWorthIt = groups.some(
      (group) =>
        core.accounts.runsBelow(group.queue, group.priority) ||
        claims.hasClaim(this.#workOf(group.key, group, { situation })),
    );
    const units = isWorthIt ? this.#units() : [];
    const evictions = new Evictions({ ...input, units });
    const round = { situation, evictions, units: new Map(units.map((unit) => [unit.id, unit])) };
    if (isWorthIt) return round;
    this.#giveBackHeld(round);
    return undefined;
  }

  #giveBackHeld({ situation }: Round): void {
    const { core, holds } = this.#deps;
    const { regime } = core.queues;
    if (regime.isPlain) return;
    for (const { queue, amounts } of holds.all())
      situation.usage.refund(queue, amounts, regime.isPreemptible(queue));
  }

  /** All that runs and is not on its way out already. */
  #units(): readonly RunningUnit[] {
    const { core } = this.#deps;
    const units: RunningUnit[] = [];
    for (const [id, charge] of core.accounts.charges()) {
      const attempt = core.workloads.attempt(id);
      const unit = attempt && this.#unitOf(attempt, charge);
      if (unit) units.push(unit);
    }
    return units;
  }

  #unitOf(
    attempt: AttemptRecord,
    {
      queue,
      priority,
      preemptible,
      amounts,
    }: Pick<RunningUnit, 'queue' | 'priority' | 'preemptible' | 'amounts'>,
  ): RunningUnit | undefined {
    const { core } = this.#deps;
    const workload = core.workloads.workload(attempt.workloadId);
    if (!workload || workload.stopRequested || attempt.evicted || isEnded(attempt.state)) return undefined;
    const unit: RunningUnit = {
      id: attempt.id,
      workloadId: workload.id,
      part: 'core',
      queue,
      priority,
      // Out of reach it could not be stopped, and nobody would know when it has ended. What is bound to its
      // node could not begin anew elsewhere; members of gangs go together or not at all.
      preemptible:
        preemptible &&
        attempt.unknownSinceMs === undefined &&
        workload.nodeId === undefined &&
        attempt.rank === undefined,
      amounts,
      startedMs: attempt.startedAtMs ?? attempt.placedAtMs,
      preemptions: workload.preemptions ?? 0,
    };
    const minRuntimeMs = core.queues.regime.record(queue)?.minRuntimeMs;
    const { lastPreemptedMs, reclaims } = workload;
    // Made often, and nearly all are of this kind.
    if (minRuntimeMs === undefined && lastPreemptedMs === undefined && reclaims === undefined) return unit;
    return {
      ...unit,
      ...(minRuntimeMs === undefined ? {} : { minRuntimeMs }),
      ...(lastPreemptedMs === undefined ? {} : { lastPreemptedMs }),
      ...(reclaims ? { reclaims: reclaims.map(readReclaim) } : {}),
    };
  }

  #makeRoomFor(group: QueuedShape, round: Round): boolean {
    const { holds } = this.#deps;
    const workloadId = group.workloadIds.find((id) => holds.of(id)?.kind !== 'preemption');
    if (workloadId === undefined) return false;
    const work = this.#workOf(workloadId, group, round);
    const isUrgent = this.#deps.core.accounts.runsBelow(group.queue, group.priority);
    if (!isUrgent && !round.evictions.hasClaim(work)) return false;
    // Those that have gone for others since the round began are nobody's to take any more.
    const candidates = round.evictions
      .victimsFor(work)
      .filter(({ unit }) => this.#deps.core.workloads.attempt(unit.id)?.evicted === undefined);
    if (candidates.length === 0) return false;
    const trial = new RoomTrial(this.#deps, round, { group, work, candidates });
    const choice = choosePreemption({
      candidates,
      domains: trial.domains(),
      fits: (removed, domainId) => trial.place(removed, domainId) !== undefined,
      limits: LIMITS,
    });
    if (choice.outcome !== 'chosen' || choice.plan.victims.length === 0) return false;
    this.#carryOut(work, choice.plan, trial, round);
    return true;
  }

  #workOf(
    id: string,
    { queue, priority, sinceMs, shape }: QueuedShape,
    { situation }: Pick<Round, 'situation'>,
  ): WaitingWork {
    const { models, classes, isPreemptible } = situation;
    const [choice] = classChoices(shape, models, classes);
    const amounts = amountsAsked(shape, present(choice, 'a class that it may get').gpuClass);
    return { id, queue, priority, submittedMs: sinceMs, amounts, preemptible: isPreemptible(queue) };
  }

  #carryOut(work: WaitingWork, { victims }: PreemptionPlan, trial: RoomTrial, round: Round): void {
    const { core, holds } = this.#deps;
    const removed = new Set(victims.map(({ unit }) => unit.id));
    const nodeId = present(trial.nodeOf([...removed][0] ?? ''), 'the node of a victim');
    const placement = present(trial.place(removed, nodeId), 'the place that was found');
    const winner = present(core.workloads.workload(work.id), 'a workload that waits');
    const nowMs = core.clock.nowMs();
    const reclaims = round.evictions
      .reclaimsBy(
        work,
        victims.map(({ unit }) => unit),
      )
      .map(storedReclaim);
    if (reclaims.length > 0) {
      core.workloads.putWorkload({ ...winner, reclaims });
      core.writer.writeWorkload({ ...winner, reclaims }, { first: false });
    }
    let graceMs = 0;
    for (const victim of victims) graceMs = Math.max(graceMs, this.#preempt(victim, work, winner.name));
    const { classes, usage, isPreemptible } = round.situation;
    const models = placement.before.gpus
      .filter(({ id }) => placement.devices.includes(id))
      .map(({ model }) => model);
    const amounts = amountsHeld(placement.shape, models, classes);
    // As if it had been there when the round began: the next one must not claim the same.
    if (!core.queues.regime.isPlain) usage.charge(work.queue, amounts, isPreemptible(work.queue));
    const untilMs = core.clock.monotonicMs() + graceMs + core.options.queues.holdMs;
    holds.keep({
      ...{
        workloadId: work.id,
        kind: 'preemption',
        queue: work.queue,
        amounts,
        nodeId,
        shape: placement.shape,
      },
      ...{ devices: placement.devices, awaits: [...removed], startMs: nowMs + graceMs, untilMs },
    });
    core.nodes.touch(nodeId);
  }

  /** Answers how long it may take, ms. */
  #preempt({ unit, ground }: Victim, work: WaitingWork, name: string): number {
    const { core } = this.#deps;
    const attempt = present(core.workloads.attempt(unit.id), 'a victim');
    const workload = present(core.workloads.workload(unit.workloadId), 'the workload of a victim');
    const preempted = {
      ...workload,
      preemptions: (workload.preemptions ?? 0) + 1,
      lastPreemptedMs: core.clock.nowMs(),
    };
    core.workloads.putWorkload(preempted);
    core.writer.writeWorkload(preempted, { first: false });
    const why =
      ground === 'priority'
        ? `of priority ${work.priority} takes its place; its own is ${unit.priority}.`
        : `takes back what queue ${work.queue} is entitled to by its ${ground === 'share' ? 'fair share' : 'guarantee'}.`;
    const message = `${name} (queue ${work.queue}) ${why}`;
    evict(core, attempt, 'preemptor', message, { by: work.id, ground });
    return workload.spec.stopGraceMs;
  }
}

interface Tried {
  readonly group: QueuedShape;
  readonly work: WaitingWork;
  readonly candidates: readonly Victim[];
}

/** Where one workload would have a place without some of what runs: the placer, on a copy of a node. */
class RoomTrial {
  readonly #deps: MakeRoomDeps;
  readonly #round: Round;
  readonly #tried: Tried;
  readonly #onNode: ReadonlyMap<string, readonly Victim[]>;

  constructor(deps: MakeRoomDeps, round: Round, tried: Tried) {
    this.#deps = deps;
    this.#round = round;
    this.#tried = tried;
    this.#onNode = Map.groupBy(tried.candidates, ({ unit }) => this.nodeOf(unit.id) ?? '');
  }

  nodeOf(attemptId: string): string | undefined {
    return this.#deps.core.workloads.attempt(attemptId)?.nodeId;
  }

  /** Nodes that may take it without some of what runs there, those first where least is thrown away. */
  domains(): readonly PreemptionDomain[] {
    const found: (PreemptionDomain & { readonly gpuHours: number })[] = [];
    for (const [id, victims] of this.#onNode) {
      const view = this.#view(id);
      if (!view || !this.#mayFit(view, victims)) continue;
      const unitIds = victims.map(({ unit }) => unit.id);
      found.push({ id, unitIds, gpuHours: this.#leastHours(view, victims) });
    }
    return found.toSorted((one, other) => one.gpuHours - other.gpuHours);
  }

  place(removed: ReadonlySet<string>, nodeId: string): Placement | undefined {
    const view = this.#view(nodeId);
    if (!view || !this.#withinLimits(removed)) return undefined;
    const node = withoutHolders(
      view,
      [...removed].flatMap((id) => this.#holderOf(id)),
    );
    const { shape, key } = this.#tried.group;
    const asked = { key, shape, workloadIds: [this.#tried.work.id] };
    return planPlacements({ nodes: [node] }, [asked], 1, this.#deps.packing).placements[0];
  }

  #view(nodeId: string): SnapshotNode | undefined {
    const { core, holds } = this.#deps;
    const node = core.nodes.node(nodeId);
    const view = node && core.nodes.view(node);
    return view?.schedulable ? holds.masked(view, this.#tried.work.id) : undefined;
  }

  /** Counted only; the placer looks closer. */
  #mayFit(view: SnapshotNode, victims: readonly Victim[]): boolean {
    const { shape } = this.#tried.group;
    const asked = shape.gpus * (shape.gpuMilli ?? 1000);
    const free = view.gpus.reduce((sum, gpu) => sum + (gpu.usable ? gpu.freeMilli : 0), 0);
    return free + victims.reduce((sum, { unit }) => sum + this.#milliOf(unit.id), 0) >= asked;
  }

  /** Of the cheapest that would suffice by their number of GPUs. */
  #leastHours(view: SnapshotNode, victims: readonly Victim[]): number {
    const { shape } = this.#tried.group;
    let missing = shape.gpus * (shape.gpuMilli ?? 1000);
    for (const { usable, freeMilli } of view.gpus) if (usable) missing -= freeMilli;
    let hours = 0;
    for (const { unit, gpuHours } of victims.toSorted((one, other) => one.gpuHours - other.gpuHours)) {
      if (missing <= 0) break;
      hours += gpuHours;
      missing -= this.#milliOf(unit.id);
    }
    return hours;
  }

  #milliOf(attemptId: string): number {
    const attempt = this.#deps.core.workloads.attempt(attemptId);
    return attempt ? attempt.devices.length * (attempt.gpuMilli ?? 1000) : 0;
  }

  /** Whether limits let it start once these have gone. */
  #withinLimits(removed: ReadonlySet<string>): boolean {
    const { usage, isPreemptible } = this.#round.situation;
    const { work } = this.#tried;
    if (this.#deps.core.queues.regime.isPlain) return true;
    const gone = [...removed].flatMap((id) => this.#round.units.get(id) ?? []);
    for (const { queue, amounts } of gone) usage.refund(queue, amounts, isPreemptible(queue));
    const stop = usage.stopOf(work.queue, work.amounts, work.preemptible);
    for (const { queue, amounts } of gone) usage.charge(queue, amounts, isPreemptible(queue));
    return stop === undefined;
  }

  #holderOf(attemptId: string): readonly Holder[] {
    const attempt = this.#deps.core.workloads.attempt(attemptId);
    return attempt ? [{ ...attempt, name: attempt.id, graceMs: 0 }] : [];
  }
}
