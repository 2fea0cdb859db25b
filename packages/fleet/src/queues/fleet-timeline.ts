import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import { fitNow, neverFits } from '../scheduler/fit.ts';
import type { CapacityTimeline, EndBound, Span, TimedWork } from '../scheduler/queues/reservation.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { withoutHolders } from '../scheduler/why/holder.ts';
import type { PlaceHolds } from './place-holds.ts';

export interface WaitingShape extends TimedWork {
  readonly shape: Shape;
}

/**
 * When places on single nodes become free, by the time limits of what runs there. Places that are kept for
 * others count as taken while they overlap.
 */
export class FleetTimeline implements CapacityTimeline<WaitingShape> {
  readonly #core: FleetCore;
  readonly #holds: PlaceHolds;

  constructor(core: FleetCore, holds: PlaceHolds) {
    this.#core = core;
    this.#holds = holds;
  }

  members(
    nodeId: string,
    { id, shape }: WaitingShape,
    span: Span,
    _reserved: unknown,
    ends: EndBound,
  ): number {
    const view = this.nodeAt(nodeId, id, span, ends);
    return view && neverFits(view, shape) === undefined && fitNow(view, shape) !== undefined ? 1 : 0;
  }

  endsMs(nodeId: string, ends: EndBound): readonly number[] {
    const { workloads, calendar } = this.#core;
    const live = workloads.liveOn(nodeId).map((attempt) => this.endOf(attempt, ends));
    const reservations = calendar.on(nodeId).map(({ reservation }) => reservation);
    const reserved = reservations.flatMap(({ startMs, endMs }) => [startMs, endMs]);
    return [...live, ...reserved].filter((endMs) => endMs < Infinity);
  }

  /** The node once all has ended that ends before the span begins; undefined if it takes no work. */
  nodeAt(nodeId: string, owner: string, span: Span, ends: EndBound): SnapshotNode | undefined {
    const { nodes, workloads } = this.#core;
    const node = nodes.node(nodeId);
    const view = node && nodes.view(node);
    if (!view?.schedulable) return undefined;
    const over = workloads.liveOn(nodeId).filter((attempt) => this.endOf(attempt, ends) <= span.fromMs);
    const then = withoutHolders(
      view,
      over.map((attempt) => ({ ...attempt, name: attempt.id, graceMs: 0 })),
    );
    return this.#holds.masked(then, owner, { span });
  }

  /** Wall clock; it is killed after its grace. Infinity if nobody knows, as for what has not begun. */
  endOf(attempt: AttemptRecord, ends: EndBound): number {
    const { workloads, clock } = this.#core;
    const nowMs = clock.nowMs();
    const workload = workloads.workload(attempt.workloadId);
    if (!workload || attempt.unknownSinceMs !== undefined) return Infinity;
    const { timeoutMs, stopGraceMs } = workload.spec;
    if (ends === 'earliestMs') return nowMs;
    if (timeoutMs === undefined || attempt.startedAtMs === undefined) return Infinity;
    return Math.max(nowMs, attempt.startedAtMs + timeoutMs + stopGraceMs);
  }
}
