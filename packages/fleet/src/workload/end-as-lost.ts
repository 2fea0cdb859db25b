import type { Cause } from '@clawbernetes/protocol';
import { present } from '@clawbernetes/kernel';
import { commitAttempt, type FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import { settleWorkload } from './settle-workload.ts';

export interface Loss {
  readonly cause: Cause;
  readonly message: string;
  /** Its node had to stop it by itself by now: that is as good as a report of its end. */
  readonly fenced?: boolean;
}

/** Ends an attempt whose end nobody reports: its GPUs are free, and its workload goes on as it asked. */
export function endAsLost(core: FleetCore, attempt: AttemptRecord, { cause, message, fenced }: Loss): void {
  const { unknownSinceMs: _, ...known } = attempt;
  const finishedAtMs = core.clock.nowMs();
  const lost: AttemptRecord = {
    ...known,
    state: 'lost',
    message,
    finishedAtMs,
    ...(fenced ? { fenced } : {}),
  };
  commitAttempt(core, lost, cause, message);
  core.capacityChanged(attempt.nodeId);
  settleWorkload(
    core,
    present(core.workloads.workload(attempt.workloadId), 'the workload of an attempt'),
    cause,
  );
}
