import { orderNode, type FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../../records.ts';
import { memberEnvironment } from './member-environment.ts';

/** Tells a node to start an attempt: a member of a gang with what it must know of the others. */
export function orderStart(core: FleetCore, attempt: AttemptRecord, workload: WorkloadRecord): void {
  const { gang } = workload;
  const isMember = gang !== undefined && attempt.generation === gang.generation;
  orderNode(core, attempt.nodeId, {
    kind: 'start',
    attempt,
    workload,
    ...(isMember
      ? {
          member: {
            environment: memberEnvironment(core, workload, gang, attempt),
            // One that joins a gang that runs waits for nobody.
            barrier: gang.phase === 'gathering',
          },
        }
      : {}),
  });
}
