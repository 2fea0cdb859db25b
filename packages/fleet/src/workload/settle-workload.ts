import { hasEnded, type Cause } from '@clawbernetes/protocol';
import { commitWorkload, type FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { beginsAnew, deriveState, isEnded } from './lifecycle.ts';

/**
 * Brings a workload in line with its latest attempt, and its end to whoever waits for it. One that was taken
 * off its node waits for another.
 */
export function settleWorkload(core: FleetCore, settled: WorkloadRecord, cause: Cause): WorkloadRecord {
  const attempt = core.workloads.latestAttempt(settled.id);
  const anew = attempt !== undefined && beginsAnew(settled, attempt, core.options.maxMoves);
  const moved = anew && { waitsAfter: attempt.number, moves: (settled.moves ?? 0) + 1 };
  const workload = { ...settled, ...moved };
  const state = deriveState(workload, attempt);
  const started = attempt?.startedAtMs ?? workload.startedAtMs;
  const next: WorkloadRecord = {
    ...workload,
    state,
    ...(started === undefined ? {} : { startedAtMs: started }),
    ...(hasEnded(state) ? { finishedAtMs: attempt?.finishedAtMs ?? core.clock.nowMs() } : {}),
  };
  commitWorkload(core, next, cause, describe(next, attempt));
  if (anew) core.pending.add(next);
  if (hasEnded(state) && !hasEnded(workload.state)) {
    core.pending.remove(workload.id);
    core.writer.whenDurable(() => core.listeners.ended(workload.id));
  }
  return next;
}

function describe(workload: WorkloadRecord, attempt: AttemptRecord | undefined): string {
  if (workload.state === 'queued' && attempt?.evicted)
    return `${workload.name} waits for another node: ${attempt.evicted.message}`;
  if (!attempt || !isEnded(attempt.state)) return `${workload.name} is ${workload.state}.`;
  return `${workload.name} ${workload.state}: ${describeEnd(attempt)}.`;
}

export function describeEnd(attempt: AttemptRecord): string {
  const why = attempt.endReason === undefined ? '' : ` (${attempt.endReason})`;
  if (attempt.state === 'lost') return attempt.message ?? 'its node lost it';
  if (attempt.exitCode !== undefined) return `exit code ${attempt.exitCode}${why}`;
  return attempt.signal === undefined ? `ended${why}` : `killed by ${attempt.signal}${why}`;
}
