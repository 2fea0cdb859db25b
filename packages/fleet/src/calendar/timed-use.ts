import type { WorkloadSpec } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { QueueRegime } from '../queues/queue-regime.ts';
import type { TimedUse } from '../scheduler/calendar/calendar-reservation.ts';
import type { Span } from '../scheduler/queues/reservation.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';

/** What a workload would use if it began then: until its time limit and its grace are over. */
export function timedUse(
  regime: Pick<QueueRegime, 'queueOf'>,
  spec: Pick<WorkloadSpec, 'queue' | 'timeoutMs' | 'stopGraceMs'>,
  fromMs: number,
): TimedUse {
  const { timeoutMs, stopGraceMs } = spec;
  const toMs = timeoutMs === undefined ? Infinity : fromMs + timeoutMs + stopGraceMs;
  return { queue: regime.queueOf(spec), fromMs, toMs };
}

/**
 * A node less what is reserved there from a workload, or from such a use; from all that may use nothing of it
 * if absent. @param span not from now on, but then.
 */
export function unreserved(
  { calendar, workloads, queues, clock }: Pick<FleetCore, 'calendar' | 'workloads' | 'queues' | 'clock'>,
  view: SnapshotNode,
  use: string | TimedUse | undefined,
  span?: Span,
): SnapshotNode {
  if (calendar.isEmpty) return view;
  if (typeof use !== 'string') return calendar.reduced(view, use);
  const workload = workloads.workload(use);
  if (!workload) return calendar.reduced(view);
  const now = timedUse(queues.regime, workload.spec, clock.nowMs());
  return calendar.reduced(view, span ? { ...now, ...span } : now);
}
