import type { FleetCore } from '../fleet-core.ts';
import type { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { WorkloadRecord } from '../records.ts';
import type { Placement } from '../scheduler/placement.ts';
import { planPlacements } from '../scheduler/plan.ts';
import { neverFits } from '../scheduler/fit.ts';
import { BackfillTests, DEFAULT_BACKFILL_LIMITS, earliestStart } from '../scheduler/queues/earliest-start.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { spanOf } from '../scheduler/queues/reservation.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { FleetTimeline, type WaitingShape } from './fleet-timeline.ts';
import { GangTimeline, type GangStart } from './gang-timeline.ts';
import { LookPace } from './look-pace.ts';
import type { PlaceHold, PlaceHolds } from './place-holds.ts';

/** Nodes that are looked at closely for one workload: those where enough is free first, by numbers. */
const MAX_DOMAINS = 16;
/** Nodes whose ends are added up in one look; the next look goes on behind them. */
const MAX_LOOKED_AT = 256;
/** Workloads that are tried in the gap before a kept place begins. */
const MAX_FILLERS = 64;
/** Kept places that are looked at in one look. */
const MAX_FILLED = 8;
/** Between two looks for them, ms. */
const FILL_EVERY_MS = 250;
/** Starts are counted in such steps, ms. */
const RESOLUTION_MS = 1000;
/** Kept so long after the time at which it should have begun, ms. */
const LATE_MS = 60_000;

export interface BackfillDeps {
  readonly core: FleetCore;
  readonly packing: FleetPacking;
  readonly holds: PlaceHolds;
  /** The fleet as of the last plan, and where its nodes stand. */
  readonly groups: NodeGroups;
  readonly topology: FleetTopology;
  /** Has both of them take account of the nodes that have changed since. */
  readonly follow: () => void;
}

/**
 * Keeps a place for the first few that are blocked: the node where enough is free first, by the time limits
 * of what runs there (EASY; Lifka, 1995). Others use the rest of that node, and what they end before.
 */
export class BackfillPlaces {
  readonly #deps: BackfillDeps;
  readonly #timeline: FleetTimeline;
  readonly #gangs: GangTimeline;
  readonly #keeping: LookPace;
  readonly #filling: LookPace;
  #from: string | undefined;
  #filled = 0;
  /** Workload. */
  #looked: string | undefined;

  constructor(deps: BackfillDeps) {
    this.#keeping = new LookPace(deps.core.clock);
    this.#filling = new LookPace(deps.core.clock);
    this.#deps = deps;
    this.#timeline = new FleetTimeline(deps.core, deps.holds);
    this.#gangs = new GangTimeline({ ...deps, timeline: this.#timeline });
  }

  /** Decides anew whom to keep a place for, if it is time to. @param first those blocked, in their order. */
  run(first: () => readonly QueuedShape[]): void {
    const { core } = this.#deps;
    const { backfillEveryMs, reservations } = core.options.queues;
    if (!this.#keeping.begin()) return;
    if (core.accounts.limited === 0 || !core.pending.hasBlocked) return this.#release(() => true);
    const wanted = first().slice(0, reservations);
    const ids = new Set(wanted.map(({ workloadIds }) => workloadIds[0]));
    this.#release((hold) => !ids.has(hold.workloadId));
    // A place that is kept stays the same; only one that is missing is looked for, and one at a time.
    const next = this.#next(wanted);
    if (next) this.#keepFor(next);
    this.#keeping.end(backfillEveryMs);
  }

  /** The one behind whom was looked at last: one that no limit helps keeps no other from being helped. */
  #next(wanted: readonly QueuedShape[]): QueuedShape | undefined {
    const { holds } = this.#deps;
    const open = wanted.filter(({ workloadIds: [id = ''] }) => !holds.of(id));
    const last = open.findIndex(({ workloadIds: [id] }) => id === this.#looked);
    const next = open[last + 1] ?? open[0];
    this.#looked = next?.workloadIds[0];
    return next;
  }

  get isKeeping(): boolean {
    return this.#deps.holds.all().some(({ kind }) => kind === 'blocked');
  }

  /** When a gang that waits starts at the latest, by time limits alone; undefined if they do not say. */
  gangStart(
    workload: WorkloadRecord,
    { shape, queue }: Pick<QueuedShape, 'shape' | 'queue'>,
  ): GangStart | undefined {
    return this.#gangs.earliest(workOf(workload, { shape, queue }));
  }

  /** What waits and ends before a kept place begins may use it until then. */
  *fillers(): Generator<Placement, void, undefined> {
    if (!this.#filling.begin()) return;
    for (const hold of this.#worthFilling()) yield* this.#fillersOf(hold);
    this.#filling.end(FILL_EVERY_MS);
  }

  /** Of a gang one for each node; the next look goes on behind those of this one. */
  #worthFilling(): readonly PlaceHold[] {
    const { holds } = this.#deps;
    const kept = new Map<string, PlaceHold>();
    for (const hold of holds.all())
      if (hold.kind === 'blocked') kept.set(`${hold.workloadId} ${hold.nodeId}`, hold);
    const all = [...kept.values()];
    const first = this.#filled < all.length ? this.#filled : 0;
    this.#filled = first + MAX_FILLED;
    return all.slice(first, first + MAX_FILLED);
  }

  #release(isGone: (hold: PlaceHold) => boolean): void {
    const { holds } = this.#deps;
    for (const hold of holds.all())
      if (hold.kind === 'blocked' && isGone(hold)) holds.release(hold.workloadId);
  }

  *#fillersOf({ workloadId: owner, nodeId, startMs }: PlaceHold): Generator<Placement, void, undefined> {
    const { core, holds, packing } = this.#deps;
    const leftMs = startMs - core.clock.nowMs();
    let tries = MAX_FILLERS;
    const isBrief = ({ spec }: WorkloadRecord): boolean =>
      spec.timeoutMs !== undefined && spec.timeoutMs + spec.stopGraceMs <= leftMs;
    for (const { key, shape, workloadIds } of core.pending.blockedShapes(1, isBrief)) {
      const [workloadId] = workloadIds;
      if (tries === 0) return;
      if (workloadId === undefined || shape.gang) continue;
      tries -= 1;
      const node = core.nodes.node(nodeId);
      if (!node || holds.of(workloadId)) continue;
      const view = holds.masked(core.nodes.view(node), owner, { use: workloadId });
      const asked = { key, shape, workloadIds: [workloadId], nodeIds: new Set([nodeId]) };
      yield* planPlacements({ nodes: [view] }, [asked], 1, packing).placements;
    }
  }

  #keepFor({ shape, queue, workloadIds }: QueuedShape): void {
    const { core, holds } = this.#deps;
    const [id] = workloadIds;
    const workload = id === undefined ? undefined : core.workloads.workload(id);
    if (!workload || holds.of(workload.id)) return;
    const work = workOf(workload, { shape, queue });
    if (shape.gang) return this.#keepForGang(work);
    const nowMs = core.clock.nowMs();
    const limits = { ...DEFAULT_BACKFILL_LIMITS, resolutionMs: RESOLUTION_MS };
    const start = earliestStart(new BackfillTests(this.#timeline, limits.tests), {
      ...{ work, domainIds: this.#nodesFor(work), reserved: [], ends: 'latestMs' as const, nowMs, limits },
    });
    if (!start || start.startMs <= nowMs) return;
    this.#keep(work, start.domainId, start.startMs);
  }

  /** All of its places, or none. */
  #keepForGang(gang: WaitingShape): void {
    const { core, holds } = this.#deps;
    const start = this.#gangs.earliest(gang);
    if (!start || start.startMs <= core.clock.nowMs()) return;
    const { startMs, placements, ending } = start;
    const untilMs = core.clock.monotonicMs() + startMs - core.clock.nowMs() + LATE_MS;
    const kept = placements.map(({ nodeId, shape, devices, trace, member }, at) => {
      const isFirst = placements.findIndex((one) => one.nodeId === nodeId) === at;
      const awaits = isFirst ? (ending.get(nodeId) ?? []).map((attempt) => attempt.id) : [];
      return {
        ...{ workloadId: gang.id, kind: 'blocked' as const, queue: gang.queue, amounts: new Map() },
        ...{ nodeId, shape, devices, awaits, startMs, untilMs },
        ...(member ? { member: { ...member, trace } } : {}),
      };
    });
    holds.keep(...kept);
    for (const nodeId of ending.keys()) core.nodes.touch(nodeId);
  }

  #keep(work: WaitingShape, nodeId: string, startMs: number): void {
    const { id, queue, shape } = work;
    const { core, holds, packing } = this.#deps;
    const then = this.#timeline.nodeAt(nodeId, id, spanOf(work, startMs), 'latestMs');
    const asked = { key: id, shape, workloadIds: [id] };
    const now = core.nodes.node(nodeId);
    if (!then || !now) return;
    // What is free already stays with the others where it is not needed.
    const busyFirst = preferring(then, core.nodes.view(now));
    const [place] = planPlacements({ nodes: [busyFirst] }, [asked], 1, packing).placements;
    const [again = place] = planPlacements({ nodes: [then] }, [asked], 1, packing).placements;
    if (!again) return;
    const live = core.workloads.liveOn(nodeId);
    const awaits = live.filter((attempt) => this.#timeline.endOf(attempt, 'latestMs') <= startMs);
    holds.keep({
      ...{ workloadId: id, kind: 'blocked', queue, amounts: new Map(), nodeId, shape, startMs },
      devices: (place ?? again).devices,
      awaits: awaits.map((attempt) => attempt.id),
      untilMs: core.clock.monotonicMs() + startMs - core.clock.nowMs() + LATE_MS,
    });
    core.nodes.touch(nodeId);
  }

  /** Nodes that have enough GPUs first, by what ends there and when; those alone are looked at closely. */
  #nodesFor({ shape }: WaitingShape): readonly string[] {
    const { core } = this.#deps;
    const found: { readonly id: string; readonly atMs: number }[] = [];
    const asked = shape.gpus * (shape.gpuMilli ?? 1000);
    let left = MAX_LOOKED_AT;
    for (const nodeId of core.accounts.limitedNodes(this.#from)) {
      if (left === 0) break;
      this.#from = nodeId;
      const node = core.nodes.node(nodeId);
      const view = node && core.nodes.view(node);
      if (!view?.schedulable || neverFits(view, shape) !== undefined) continue;
      left -= 1;
      const atMs = this.#enoughAtMs(view, asked);
      if (atMs < Infinity) found.push({ id: view.id, atMs });
    }
    return found
      .toSorted((one, other) => one.atMs - other.atMs)
      .slice(0, MAX_DOMAINS)
      .map(({ id }) => id);
  }

  #enoughAtMs(view: SnapshotNode, asked: number): number {
    let free = 0;
    for (const { usable, freeMilli } of view.gpus) if (usable) free += freeMilli;
    const ends = this.#deps.core.workloads
      .liveOn(view.id)
      .map((attempt) => ({
        atMs: this.#timeline.endOf(attempt, 'latestMs'),
        milli: attempt.devices.length * (attempt.gpuMilli ?? 1000),
      }))
      .toSorted((one, other) => one.atMs - other.atMs);
    let atMs = 0;
    for (const end of ends) {
      if (free >= asked && asked > 0) break;
      free += end.milli;
      ({ atMs } = end);
    }
    return free >= asked ? atMs : Infinity;
  }
}

function workOf(
  { id, spec: { timeoutMs, stopGraceMs } }: WorkloadRecord,
  { shape, queue }: Pick<QueuedShape, 'shape' | 'queue'>,
): WaitingShape {
  const limit = timeoutMs === undefined ? {} : { maxRuntimeMs: timeoutMs + stopGraceMs };
  return { id, queue, members: 1, shape, ...limit };
}

/** The node with only those GPUs free that are in use now. */
function preferring(then: SnapshotNode, now: SnapshotNode): SnapshotNode {
  const freeNow = new Map(now.gpus.map(({ id, freeMilli }) => [id, freeMilli]));
  return {
    ...then,
    gpus: then.gpus.map((gpu) =>
      (freeNow.get(gpu.id) ?? 0) >= gpu.freeMilli ? { ...gpu, freeMilli: 0 } : gpu,
    ),
  };
}
