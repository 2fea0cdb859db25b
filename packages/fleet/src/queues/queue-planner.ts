import { HeldReasons } from '../calendar/held-reasons.ts';
import { ReservedPlaces } from '../calendar/reserved-places.ts';
import { unreserved } from '../calendar/timed-use.ts';
import type { FleetCore } from '../fleet-core.ts';
import { ListedOrder, planInDraft } from '../scheduler/calendar/plan-in-draft.ts';
import type { Draft } from '../scheduler/draft.ts';
import type { WorkloadRecord } from '../records.ts';
import type { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { Placement } from '../scheduler/placement.ts';
import { planPlacements, type PendingShape, type Plan } from '../scheduler/plan.ts';
import { amountsAsked, classChoices, limitedTo } from '../scheduler/queues/asked-amounts.ts';
import { GpuModels } from '../scheduler/queues/gpu-models.ts';
import { allOf, ListedShapes, MergedSources } from '../scheduler/queues/listed-shapes.ts';
import { planByQueue, type QueuePlan } from '../scheduler/queues/plan-by-queue.ts';
import { compareInQueue, QueuePlanOrder, type QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { explainQueueStop } from '../scheduler/queues/queue-usage.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { Waiting } from '../scheduler/explain.ts';
import { startOfGang } from './held-gang.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import type { WorkBudget } from '../scheduler/work-budget.ts';
import { BackfillPlaces } from './backfill-places.ts';
import {
  alikeIn,
  queueSituation,
  queueState,
  type AlikeNodes,
  type QueueSituation,
} from './queue-situation.ts';
import { MakeRoom } from './make-room.ts';
import { PlaceHolds, type PlaceHold } from './place-holds.ts';
import { RestartPlaces } from './restart-places.ts';

export interface QueuePlannerDeps {
  readonly core: FleetCore;
  readonly packing: FleetPacking;
  /** Whether work may be taken off nodes at all now. */
  readonly mayMove: () => boolean;
  /** The fleet as of the last plan. */
  readonly groups: NodeGroups;
  readonly topology: FleetTopology;
  /** Has both of them take account of the nodes that have changed since. */
  readonly follow: () => void;
}

/** What the queues have to say in a turn: who is next, who waits for a limit, whose place is kept. */
export class QueuePlanner {
  readonly #deps: QueuePlannerDeps;
  readonly #holds: PlaceHolds;
  readonly #room: MakeRoom;
  readonly #backfill: BackfillPlaces;
  readonly #reserved: ReservedPlaces;
  readonly #heldReasons: HeldReasons;
  readonly #restarts: RestartPlaces;
  /** Of the GPU models of the fleet as of the last plan. */
  #modelsKey = '';

  constructor(deps: QueuePlannerDeps) {
    const { core } = deps;
    this.#deps = deps;
    const onFreed = (nodeId: string): void => {
      core.nodes.touch(nodeId);
      core.capacityChanged(nodeId);
    };
    this.#holds = new PlaceHolds(core.workloads, onFreed, (...look) => unreserved(core, ...look));
    const holds = this.#holds;
    this.#reserved = new ReservedPlaces({
      ...deps,
      holds,
      plan: (draft, waiting, limit) => this.#planReserved(draft, waiting, limit),
    });
    this.#heldReasons = new HeldReasons(core, (view, workloadId) => holds.masked(view, workloadId));
    this.#room = new MakeRoom({ ...deps, holds, fleet: () => this.#fleet() });
    this.#backfill = new BackfillPlaces({ ...deps, holds });
    this.#restarts = new RestartPlaces(core, holds);
  }

  /** A node as others see it than those for whom a place is kept there, or as `owner` does. */
  masked(view: SnapshotNode, owner?: string): SnapshotNode {
    return this.#holds.masked(view, owner);
  }

  /** All of these nodes as `owner` sees them. */
  maskedAll(views: readonly SnapshotNode[], owner: string): readonly SnapshotNode[] {
    if (this.#holds.size === 0 && this.#deps.core.calendar.isEmpty) return views;
    return views.map((view) => this.#holds.masked(view, owner));
  }

  /** What waited for limits that are eased may be tried again; places are kept for what restarts. */
  begin(): void {
    const { accounts, pending } = this.#deps.core;
    this.#restarts.dropOld();
    this.#restarts.follow();
    accounts.advance();
    if (accounts.takeEdited()) pending.ease();
  }

  /** @param nodeIds where blocked shapes are retried. @param work ends the plan once it is spent. */
  plan(nodeIds: ReadonlySet<string>, limit: number, work: WorkBudget): Plan | QueuePlan {
    const { core, groups, packing, topology } = this.#deps;
    const { pending } = core;
    if (core.queues.regime.isPlain)
      return planPlacements(groups, allOf(pending.turn(limit, nodeIds)), limit, packing, { topology, work });
    const situation = this.situation();
    this.#followModels(situation.models.key);
    const order = new QueuePlanOrder(situation, pending.turn(limit, nodeIds));
    for (const { queue, amounts } of this.#holds.uncounted()) order.charge(queue, amounts);
    return planByQueue({ groups, order, packing, topology, work }, limit);
  }

  /** What waits for limits of some models may get others. */
  #followModels(key: string): void {
    if (key !== this.#modelsKey) this.#deps.core.pending.ease();
    this.#modelsKey = key;
  }

  /** Who has a place, kept or reserved, as soon as it is free. The caller applies one before it asks on. */
  *heldStarts(): Generator<readonly Placement[], void, undefined> {
    for (const kept of this.#holds.byWorkload()) {
      const [first] = kept;
      const placements = first?.member ? this.#startOfGang(first, kept) : this.#startOf(first);
      if (!first || !placements) continue;
      yield placements;
      this.#holds.release(first.workloadId);
    }
    yield* this.#reserved.own();
  }

  /** What may use a kept or reserved place. The caller applies one before it asks on. */
  *fillers(): Generator<readonly Placement[], void, undefined> {
    yield* this.#reserved.own();
    yield* this.#reserved.brief();
    for (const placement of this.#backfill.fillers())
      if (this.#isWithinLimits(placement.workloadId, placement.shape)) yield [placement];
  }

  /** Whether places are kept or reserved that some may use for a while. */
  get mayFill(): boolean {
    return this.#backfill.isKeeping || !this.#deps.core.calendar.isEmpty;
  }

  /** Whether places are kept for what restarts. */
  get mayRestart(): boolean {
    return this.#restarts.isKeeping;
  }

  /** Gives up those that nobody came for in time; answers whether there were any. */
  dropOldRestarts(): boolean {
    return this.#restarts.dropOld();
  }

  /** Whether somebody is looking for work that has to make room, and goes on in the next turn. */
  get isLooking(): boolean {
    return this.#room.isLooking;
  }

  /** After a plan, and from time to time: who should make room for whom, and for whom to keep a place. */
  end(): void {
    this.#dropOld();
    this.#room.run();
    this.#backfill.run(() => this.#firstBlocked());
  }

  /** Why it waits, if a limit of its queue or a reservation is the reason. */
  waiting(workloadId: string): Waiting | undefined {
    const { pending } = this.#deps.core;
    const group = pending.stopOf(workloadId);
    if (!group || group.partly) {
      const blocked = pending.blocked(workloadId);
      return blocked && this.#heldReasons.of(workloadId, blocked);
    }
    const stop = this.#deps.core.accounts.usage.asOfNow(group.stop);
    return (
      stop && { reason: stop.never ? 'over-limit' : 'waiting-for-quota', message: explainQueueStop(stop) }
    );
  }

  /** When a gang that waits can start at the latest, by time limits. */
  gangStart(workload: WorkloadRecord): { readonly startMs: number; readonly graceMs: number } | undefined {
    const hold = this.#holds.of(workload.id);
    if (hold) return hold.kind === 'blocked' ? { startMs: hold.startMs, graceMs: 0 } : undefined;
    const group = this.#deps.core.pending.groupOf(workload.id);
    return group?.shape.gang && this.#backfill.gangStart(workload, group);
  }

  /** The place that is kept for a workload, or undefined. */
  holdOf(workloadId: string): PlaceHold | undefined {
    return this.#holds.of(workloadId);
  }

  /**
   * What would be served before this workload if there were room for all, at most `limit` workloads; without
   * it all that waits.
   */
  inOrder(limit: number, before?: string): readonly PendingShape[] {
    const { pending, queues } = this.#deps.core;
    if (queues.regime.isPlain) return pending.inOrder(limit, before);
    const order = this.#order(pending.firstOfQueues(limit, before));
    const groups = new Map<string, { key: string; shape: Shape; workloadIds: string[] }>();
    for (let count = 0; count < limit; count += 1) {
      const turn = order.next();
      if (!turn || turn.workloadId === before) break;
      const { key, shape, workloadId } = turn;
      const group = groups.get(key) ?? { key, shape, workloadIds: [] };
      group.workloadIds.push(workloadId);
      groups.set(key, group);
      order.passed();
    }
    order.undo();
    return [...groups.values()];
  }

  situation(): QueueSituation {
    const { core } = this.#deps;
    return queueSituation(queueState(core), this.#fleet(), core.pending.demand.all());
  }

  #planReserved(draft: Draft, waiting: readonly QueuedShape[], limit: number): readonly Placement[] {
    const { core } = this.#deps;
    if (core.queues.regime.isPlain)
      return planInDraft(this.#deps, draft, new ListedOrder(waiting.toSorted(compareInQueue)), limit);
    const asked = new Set(waiting.map(({ key }) => key));
    const others = (group: QueuedShape): QueuedShape =>
      asked.has(group.key) ? { ...group, workloadIds: [] } : nowhere(group);
    return core.pending.atLimit(others, (stopped) => {
      const order = new QueuePlanOrder(
        this.situation(),
        new MergedSources(new ListedShapes(waiting), stopped),
      );
      for (const { queue, amounts } of this.#holds.uncounted()) order.charge(queue, amounts);
      const placements = planInDraft(this.#deps, draft, order, limit);
      order.undo();
      return placements;
    });
  }

  #order(waiting: readonly QueuedShape[]): QueuePlanOrder {
    return new QueuePlanOrder(this.situation(), new ListedShapes(waiting));
  }

  #fleet(): Iterable<AlikeNodes> {
    return alikeIn(this.#deps.groups);
  }

  #firstBlocked(): readonly QueuedShape[] {
    const { pending, queues, options } = this.#deps.core;
    if (queues.regime.isPlain) return pending.firstBlocked(options.queues.reservations);
    const blocked = pending.blockedShapes(1);
    const order = this.#order(blocked);
    const first: QueuedShape[] = [];
    while (first.length < options.queues.reservations) {
      const turn = order.next();
      const group = turn && blocked.find(({ key }) => key === turn.key);
      if (!group) break;
      first.push(group);
      order.passed();
    }
    order.undo();
    return first;
  }

  #startOfGang(
    { workloadId, kind }: PlaceHold,
    kept: readonly PlaceHold[],
  ): readonly Placement[] | undefined {
    const { core } = this.#deps;
    const isRestart = kind === 'restart';
    const shape = isRestart
      ? this.#restarts.shapeOf(workloadId, kept.length)
      : core.pending.shapeOf(workloadId);
    const placements =
      shape && (isRestart ? this.#restarts.startOf(workloadId, kept) : startOfGang(core, this.#holds, kept));
    return placements && this.#isWithinLimits(workloadId, shape) ? placements : undefined;
  }

  #startOf(hold: PlaceHold | undefined): readonly Placement[] | undefined {
    if (!hold) return undefined;
    const { workloadId, nodeId, shape: held } = hold;
    const { core, packing } = this.#deps;
    const shape = core.pending.shapeOf(workloadId);
    const node = core.nodes.node(nodeId);
    if (!shape || !node || !this.#isWithinLimits(workloadId, held)) return undefined;
    const view = this.#holds.masked(core.nodes.view(node), workloadId);
    const asked = { key: workloadId, shape: held, workloadIds: [workloadId], nodeIds: new Set([nodeId]) };
    const { placements } = planPlacements({ nodes: [view] }, [asked], 1, packing);
    return placements.length > 0 ? placements : undefined;
  }

  /** Whichever of the GPUs it may get. */
  #isWithinLimits(workloadId: string, shape: Shape): boolean {
    const { core } = this.#deps;
    const { regime } = core.queues;
    const workload = core.workloads.workload(workloadId);
    if (regime.isPlain || !workload) return workload !== undefined;
    const queue = regime.queueOf(workload.spec);
    const models = new GpuModels();
    for (const { example } of this.#fleet()) models.add(example.gpus);
    const choices = classChoices(shape, models, regime.classes);
    const isFree = choices.filter(
      (choice) =>
        core.accounts.usage.stopOf(queue, amountsAsked(shape, choice), regime.isPreemptible(queue)) ===
        undefined,
    );
    return limitedTo(shape, isFree, choices) === shape;
  }

  /** Places whose owner has gone, that cannot be had any more, or for which nobody came in time. */
  #dropOld(): void {
    const { core } = this.#deps;
    const nowMs = core.clock.monotonicMs();
    for (const hold of this.#holds.all()) {
      if (hold.kind === 'restart') continue;
      const node = core.nodes.node(hold.nodeId);
      const isGood = node !== undefined && isFit(core.nodes.view(node), hold.devices);
      const isWanted = core.pending.shapeOf(hold.workloadId) !== undefined;
      if (!isGood || !isWanted || nowMs >= hold.untilMs) this.#holds.release(hold.workloadId);
    }
  }
}

/** The node takes work, and none of these GPUs of it is out of use: they were not when they were chosen. */
function isFit({ schedulable, gpus }: SnapshotNode, devices: readonly string[]): boolean {
  return schedulable && devices.every((id) => gpus.some((gpu) => gpu.id === id && gpu.usable));
}

/** It has its turn, so that nobody overtakes it at its limit, but no place. */
function nowhere(group: QueuedShape): QueuedShape {
  return { ...group, key: `${group.key} nowhere`, shape: { ...group.shape, nodeId: '' } };
}
