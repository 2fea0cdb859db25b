import type { FleetCore } from '../fleet-core.ts';
import { LookPace } from '../queues/look-pace.ts';
import type { PlaceHolds } from '../queues/place-holds.ts';
import { isOfQueues, withholds, type TimedUse } from '../scheduler/calendar/calendar-reservation.ts';
import { Draft } from '../scheduler/draft.ts';
import { isGang } from '../scheduler/gang/member-shape.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { Placement } from '../scheduler/placement.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { GroupGlance } from '../workload/pending-queue.ts';
import type { ReservationRecord } from './reservation-record.ts';
import { timedUse } from './timed-use.ts';

/** Groups of what waits that are looked at in one look; the next one goes on behind them. */
const MAX_GROUPS = 256;
/** Workloads of all of them together, and of each at least. */
const MAX_WORKLOADS = 2048;
const MIN_OF_GROUP = 8;
/** Placements of one look for work that may use the same reservations. */
const MAX_PLACED = 200;
const MAX_CLASSES = 16;
/** Between two looks for work that ends before a reservation begins, ms. */
const BRIEF_EVERY_MS = 250;

export interface ReservedPlacesDeps {
  readonly core: FleetCore;
  readonly holds: PlaceHolds;
  /** The fleet as of the last plan. */
  readonly groups: NodeGroups;
  /** Takes account of the nodes that have changed since. */
  readonly follow: () => void;
  /** What is placed of these in the draft, as the queues say: within limits, where others may wait. */
  readonly plan: (draft: Draft, waiting: readonly QueuedShape[], limit: number) => readonly Placement[];
}

/** Work that the same reservations keep nothing from. */
interface UseClass {
  readonly use: TimedUse;
  readonly open: readonly ReservationRecord[];
  readonly groups: readonly QueuedShape[];
}

type Look = 'own' | 'brief';

/**
 * Places work on reserved capacity: that of its queues while a reservation lasts, and before it begins what
 * ends in time. All other plans see the nodes without what is reserved there.
 */
export class ReservedPlaces {
  readonly #deps: ReservedPlacesDeps;
  readonly #pace: Readonly<Record<Look, LookPace>>;
  readonly #from: Record<Look, number> = { own: 0, brief: 0 };

  constructor(deps: ReservedPlacesDeps) {
    this.#deps = deps;
    const { clock } = deps.core;
    this.#pace = { own: new LookPace(clock), brief: new LookPace(clock) };
  }

  /** Work of queues whose reservations last. The caller applies one before it asks on. */
  *own(): Generator<readonly Placement[], void, undefined> {
    const { calendar, clock } = this.#deps.core;
    if (calendar.isEmpty) return;
    const nowMs = clock.nowMs();
    const queues = calendar
      .all()
      .filter(({ startMs, endMs }) => startMs <= nowMs && nowMs < endMs)
      .flatMap((reservation) => reservation.queues);
    if (queues.length > 0) yield* this.#look('own', ({ queue }) => isOfQueues(queue, queues), 0);
  }

  /** What fits nowhere else and ends before a reservation begins. */
  *brief(): Generator<readonly Placement[], void, undefined> {
    const { calendar, clock } = this.#deps.core;
    const nowMs = clock.nowMs();
    if (!calendar.all().some(({ startMs }) => startMs > nowMs)) return;
    yield* this.#look('brief', ({ isBlocked }) => isBlocked, BRIEF_EVERY_MS);
  }

  *#look(
    kind: Look,
    isWanted: (group: GroupGlance) => boolean,
    everyMs: number,
  ): Generator<readonly Placement[], void, undefined> {
    const { core } = this.#deps;
    if (!this.#pace[kind].begin()) return;
    const wanted = [...core.pending.unstopped().filter(isWanted)];
    const first = this.#from[kind] < wanted.length ? this.#from[kind] : 0;
    this.#from[kind] = first + MAX_GROUPS;
    const looked = wanted.slice(first, first + MAX_GROUPS);
    const each = Math.max(MIN_OF_GROUP, Math.floor(MAX_WORKLOADS / Math.max(1, looked.length)));
    const shapes = looked.map(({ shape }) => shape(each));
    for (const use of this.#classes(shapes)) {
      const placements = this.#placementsFor(use);
      if (placements.length > 0) yield placements;
    }
    this.#pace[kind].end(everyMs);
  }

  #classes(shapes: readonly QueuedShape[]): readonly UseClass[] {
    const { calendar, clock, queues, workloads } = this.#deps.core;
    const nowMs = clock.nowMs();
    const classes = new Map<string, { use: TimedUse; open: ReservationRecord[]; groups: QueuedShape[] }>();
    for (const shape of shapes) {
      const idsOf = new Map<string, string[]>();
      for (const id of shape.workloadIds) {
        const workload = workloads.workload(id);
        // Others have made room for it elsewhere, and it waits for their end.
        if (!workload || this.#deps.holds.of(id)?.kind === 'preemption') continue;
        const use = timedUse(queues.regime, workload.spec, nowMs);
        const open = calendar.all().filter((reservation) => !withholds(reservation, use));
        if (open.length === 0) continue;
        const key = open.map(({ name }) => name).join(' ');
        if (!classes.has(key)) classes.set(key, { use, open, groups: [] });
        idsOf.set(key, [...(idsOf.get(key) ?? []), id]);
      }
      for (const [key, workloadIds] of idsOf) classes.get(key)?.groups.push({ ...shape, workloadIds });
    }
    return [...classes.values()].slice(0, MAX_CLASSES);
  }

  /** Single work goes only where something is reserved; a gang may have members elsewhere, too. */
  #placementsFor({ use, open, groups }: UseClass): readonly Placement[] {
    const { core, holds, plan, follow } = this.#deps;
    follow();
    const draft = new Draft(this.#deps.groups);
    const nodeIds = new Set<string>();
    for (const { nodeId } of open.flatMap(({ held }) => held)) {
      const [before, node] = [draft.node(nodeId), core.nodes.node(nodeId)];
      if (!before || !node || nodeIds.has(nodeId)) continue;
      const view = holds.masked(core.nodes.view(node), undefined, { use });
      if (!view.schedulable) continue;
      draft.replace(before, { ...view, isMasked: true });
      nodeIds.add(nodeId);
    }
    if (nodeIds.size === 0) return [];
    const asked = groups.map((group) => (isGang(group.shape) ? group : { ...group, nodeIds }));
    return plan(draft, asked, MAX_PLACED);
  }
}
