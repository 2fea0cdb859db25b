import { present } from '@clawbernetes/kernel';
import type { Cause } from '@clawbernetes/protocol';
import { orderStop, type FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import { isEnded } from './lifecycle.ts';
import { settleWorkload } from './settle-workload.ts';

/**
 * Takes an attempt off its node: it is stopped politely there, and once its node proves that it has ended its
 * workload waits for another. Safe to repeat; on a node out of reach it is asked for again on its return.
 * @param facts of the event, beside those that all have.
 */
export function evict(
  core: FleetCore,
  attempt: AttemptRecord,
  cause: Cause,
  message: string,
  facts: Readonly<Record<string, string>> = {},
): void {
  if (isEnded(attempt.state) || attempt.evicted) return;
  const workload = present(core.workloads.workload(attempt.workloadId), 'the workload of an attempt');
  const evicted: AttemptRecord = { ...attempt, evicted: { cause, message } };
  core.workloads.putAttempt(evicted);
  core.writer.writeAttempt(evicted);
  core.writer.record({
    namespace: attempt.namespace,
    type: 'attempt.evicted',
    subject: attempt.workloadId,
    cause,
    message: `${workload.name} is taken off its node: ${message}`,
    facts: { attempt: attempt.id, node: attempt.nodeId, number: attempt.number, ...facts },
  });
  orderStop(core, evicted, workload);
  settleWorkload(core, workload, cause);
}
