import { orderNode, type FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../../records.ts';
import { hostsOf, memberEnvironment } from './member-environment.ts';

/**
 * Tells a node to start an attempt: a member of a gang with what it must know of the others. @param hosts of
 * them, where they are known already.
 */
export function orderStart(
  core: FleetCore,
  attempt: AttemptRecord,
  workload: WorkloadRecord,
  hosts?: readonly string[],
): void {
  const { gang } = workload;
  const isMember = gang !== undefined && attempt.generation === gang.generation;
  orderNode(core, attempt.nodeId, {
    kind: 'start',
    attempt,
    workload,
    ...(isMember
      ? {
          member: {
            environment: memberEnvironment(workload, gang, attempt, hosts ?? hostsOf(core, workload.id)),
            // One that joins a gang that runs waits for nobody.
            barrier: gang.phase === 'gathering',
          },
        }
      : {}),
  });
}
