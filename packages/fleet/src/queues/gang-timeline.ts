import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import { Draft } from '../scheduler/draft.ts';
import type { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { isGang } from '../scheduler/gang/member-shape.ts';
import { placeInDraft } from '../scheduler/gang/place-gang.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { Placement } from '../scheduler/placement.ts';
import { DEFAULT_BACKFILL_LIMITS } from '../scheduler/queues/earliest-start.ts';
import { spanOf } from '../scheduler/queues/reservation.ts';
import type { FleetTimeline, WaitingShape } from './fleet-timeline.ts';

/** Nodes whose ends are counted with; those where something ends first. */
const MAX_NODES = 1024;
/** A look that has taken so long is content with the earliest start it has found, ms. */
const MAX_LOOK_MS = 20;
/** Ends are taken together in such steps, ms. */
const RESOLUTION_MS = 1000;

export interface GangTimelineDeps {
  readonly core: Pick<FleetCore, 'accounts' | 'workloads' | 'clock'>;
  readonly timeline: FleetTimeline;
  /** The fleet as of the last plan, and where its nodes stand. */
  readonly groups: NodeGroups;
  readonly topology: FleetTopology;
  /** Has both of them take account of the nodes that have changed since. */
  readonly follow: () => void;
}

/** Where a gang will stand, and from when on at the latest. */
export interface GangStart {
  readonly startMs: number;
  /** The longest grace of what is stopped there then, ms. */
  readonly graceMs: number;
  /** By rank. */
  readonly placements: readonly Placement[];
  /** What has to end there first, by node. */
  readonly ending: ReadonlyMap<string, readonly AttemptRecord[]>;
}

interface NodeEnds {
  readonly nodeId: string;
  readonly endsMs: readonly number[];
}

/** When time limits leave room for a whole gang. */
export class GangTimeline {
  readonly #deps: GangTimelineDeps;

  constructor(deps: GangTimelineDeps) {
    this.#deps = deps;
  }

  /**
   * The first moment at which it fits if all runs to its limit; undefined if there is none within a day. Room
   * only grows with what ends, so it is found by halving; other gangs and reservations to come may shift it.
   */
  earliest(gang: WaitingShape): GangStart | undefined {
    const { clock } = this.#deps.core;
    const [nowMs, sinceMs] = [clock.nowMs(), clock.monotonicMs()];
    const nodes = this.#nodeEnds(nowMs + DEFAULT_BACKFILL_LIMITS.windowMs);
    const rounded = (endMs: number): number =>
      nowMs + Math.ceil((endMs - nowMs) / RESOLUTION_MS) * RESOLUTION_MS;
    const ends = nodes.flatMap(({ endsMs }) => endsMs).filter((endMs) => endMs > nowMs);
    const moments = [...new Set(ends.map(rounded))].toSorted((one, other) => one - other);
    const last = moments.at(-1);
    if (last === undefined) return undefined;
    this.#deps.follow();
    let best = this.#startAt(gang, nodes, last);
    let [low, high] = [0, moments.length - 1];
    const isLate = (): boolean => clock.monotonicMs() - sinceMs > MAX_LOOK_MS;
    while (best && low < high && !isLate()) {
      const middle = (low + high) >> 1;
      const found = this.#startAt(gang, nodes, moments[middle] ?? last);
      if (found) [best, high] = [found, middle];
      else low = middle + 1;
    }
    return best;
  }

  #nodeEnds(untilMs: number): readonly NodeEnds[] {
    const { core, timeline } = this.#deps;
    const found: NodeEnds[] = [];
    for (const nodeId of core.accounts.limitedNodes(undefined)) {
      const live = core.workloads.liveOn(nodeId).map((attempt) => timeline.endOf(attempt, 'latestMs'));
      const endsMs = live.filter((endMs) => endMs <= untilMs);
      if (endsMs.length > 0) found.push({ nodeId, endsMs });
    }
    const firstOf = ({ endsMs }: NodeEnds): number => Math.min(...endsMs);
    if (found.length <= MAX_NODES) return found;
    return found.toSorted((one, other) => firstOf(one) - firstOf(other)).slice(0, MAX_NODES);
  }

  /** Where it stands if it begins then. */
  #startAt(gang: WaitingShape, nodes: readonly NodeEnds[], startMs: number): GangStart | undefined {
    const { groups, topology, timeline } = this.#deps;
    const { id: workloadId, shape } = gang;
    if (!isGang(shape)) return undefined;
    const draft = new Draft(groups);
    for (const { nodeId, endsMs } of nodes) {
      const before = endsMs.some((endMs) => endMs <= startMs) ? draft.node(nodeId) : undefined;
      const then = before && timeline.nodeAt(nodeId, workloadId, spanOf(gang, startMs), 'latestMs');
      if (before && then) draft.replace(before, then);
    }
    const placements = placeInDraft(draft, topology, { workloadId, shape });
    if (!placements) return undefined;
    const ending = this.#ending(placements, startMs);
    return { startMs, graceMs: this.#graceOf(ending), placements, ending };
  }

  #graceOf(ending: GangStart['ending']): number {
    const { workloads } = this.#deps.core;
    let graceMs = 0;
    for (const { workloadId } of [...ending.values()].flat())
      graceMs = Math.max(graceMs, workloads.workload(workloadId)?.spec.stopGraceMs ?? 0);
    return graceMs;
  }

  #ending(placements: readonly Placement[], startMs: number): ReadonlyMap<string, readonly AttemptRecord[]> {
    const { core, timeline } = this.#deps;
    const isOver = (attempt: AttemptRecord): boolean => timeline.endOf(attempt, 'latestMs') <= startMs;
    const nodeIds = new Set(placements.map(({ nodeId }) => nodeId));
    return new Map(Array.from(nodeIds, (nodeId) => [nodeId, core.workloads.liveOn(nodeId).filter(isOver)]));
  }
}
