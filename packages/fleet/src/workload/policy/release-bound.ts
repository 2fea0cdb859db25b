import type { FleetCore } from '../../fleet-core.ts';
import type { WorkloadRecord } from '../../records.ts';
import { settleWorkload } from '../settle-workload.ts';
import { nodeIsLeft, wait, waitNoMore } from './begin-anew.ts';
import { endsWithItsPlace } from './next-step.ts';

/** What waits to restart on a node that work is taken off may begin anew anywhere, or ends if it asked to. */
export function releaseBound(core: FleetCore, nodeId: string): void {
  const bound = core.workloads
    .workloads()
    .filter((one) => waitsFor(one, nodeId) && nodeIsLeft(core, nodeId, one));
  // Settled after the search: settling changes what is searched.
  for (const workload of [...bound]) release(core, workload);
}

function waitsFor({ state, anew }: WorkloadRecord, nodeId: string): boolean {
  return state === 'queued' && anew?.policy === 'restart' && anew.formerNodeId === nodeId && !anew.anywhere;
}

function release(core: FleetCore, workload: WorkloadRecord): void {
  const { anew, waitsAfter: _, ...undecided } = workload;
  if (!anew) return;
  if (endsWithItsPlace(workload)) return void settleWorkload(core, undecided, 'user');
  waitNoMore(core, workload.id);
  const released = { ...workload, anew: { ...anew, anywhere: true } };
  core.workloads.putWorkload(released);
  core.writer.writeWorkload(released, { first: false });
  const name = core.nodes.node(anew.formerNodeId)?.name ?? anew.formerNodeId;
  core.writer.record({
    namespace: workload.namespace,
    type: 'workload.released',
    subject: workload.id,
    cause: 'user',
    message: `${workload.name} waited to restart on ${name}, which takes no more work; it may begin anew anywhere.`,
    facts: { name: workload.name, node: anew.formerNodeId },
  });
  wait(core, released);
}
