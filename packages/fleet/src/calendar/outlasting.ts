import { compareEpochs } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { isOfQueues, type HeldCapacity } from '../scheduler/calendar/calendar-reservation.ts';
import type { ReservationRecord } from './reservation-record.ts';

/** Work of others on what a reservation holds, that may run past its start. */
export interface Outlasting {
  readonly attempt: AttemptRecord;
  readonly workload: WorkloadRecord;
  /** When its time limit and its grace end it; absent = nobody knows. Wall clock. */
  readonly endsAtMs?: number;
  /** When it is asked to end; absent = it is left. */
  readonly stopsAtMs?: number;
}

export type OutlastingDeps = Pick<FleetCore, 'workloads' | 'queues' | 'clock'>;

/** All of a reservation, node by node. */
export function outlastingOf(deps: OutlastingDeps, reservation: ReservationRecord): readonly Outlasting[] {
  return reservation.held.flatMap((held) =>
    deps.workloads.liveOn(held.nodeId).flatMap((attempt) => {
      if (!isOn(attempt, held)) return [];
      return outlasting(deps, reservation, attempt) ?? [];
    }),
  );
}

/** Whether it holds a part of what is reserved. */
export function isOn({ devices }: AttemptRecord, held: HeldCapacity): boolean {
  return held.devices === undefined || devices.some((id) => held.devices?.includes(id));
}

/** When it is over by its time limit; what has not begun yet is taken to begin now. */
export function endsAtMs(
  { clock }: Pick<FleetCore, 'clock'>,
  { startedAtMs, unknownSinceMs }: AttemptRecord,
  { spec }: WorkloadRecord,
): number | undefined {
  const { timeoutMs, stopGraceMs } = spec;
  if (timeoutMs === undefined || unknownSinceMs !== undefined) return undefined;
  return (startedAtMs ?? clock.nowMs()) + timeoutMs + stopGraceMs;
}

function outlasting(
  { workloads, queues, clock }: OutlastingDeps,
  reservation: ReservationRecord,
  attempt: AttemptRecord,
): Outlasting | undefined {
  const workload = workloads.workload(attempt.workloadId);
  if (!workload || isOfQueues(queues.regime.queueOf(workload.spec), reservation.queues)) return undefined;
  const { startMs } = reservation;
  const endMs = endsAtMs({ clock }, attempt, workload);
  if (endMs !== undefined && endMs <= startMs && clock.nowMs() < startMs) return undefined;
  const stopsAtMs = stopTimeOf(reservation, attempt, workload);
  return {
    ...{ attempt, workload },
    ...(endMs === undefined ? {} : { endsAtMs: endMs }),
    ...(stopsAtMs === undefined ? {} : { stopsAtMs }),
  };
}

/**
 * In time for its grace to be over at the start. What was let in when the reservation was there already had
 * to end by then, and knew it; what ran before is told first, if it has to go at all.
 */
function stopTimeOf(
  { startMs, running, noticeMs, createdAtMs, epoch }: ReservationRecord,
  attempt: AttemptRecord,
  { spec }: WorkloadRecord,
): number | undefined {
  const inTimeMs = startMs - spec.stopGraceMs;
  if (compareEpochs(attempt.epoch, epoch) > 0) return inTimeMs;
  return running === 'evict' ? Math.max(inTimeMs, createdAtMs + noticeMs) : undefined;
}
