import type { FleetCore } from '../../fleet-core.ts';
import type { WorkloadRecord } from '../../records.ts';
import { settleWorkload } from '../settle-workload.ts';
import { nodeIsLeft, wait, waitNoMore } from './begin-anew.ts';
import { endGang } from '../gang/settle-gang.ts';
import { wantsItsPlaces } from '../gang/own-places.ts';
import { endsWithItsPlace } from './next-step.ts';

/** What waits to restart on a node that work is taken off may begin anew anywhere, or ends if it asked to. */
export function releaseBound(core: FleetCore, nodeId: string): void {
  const bound = core.workloads
    .workloads()
    .filter((one) => waitsFor(core, one, nodeId) && nodeIsLeft(core, nodeId, one));
  const name = core.nodes.node(nodeId)?.name ?? nodeId;
  // Settled after the search: settling changes what is searched.
  for (const workload of [...bound]) release(core, workload, name);
}

function waitsFor({ workloads }: FleetCore, workload: WorkloadRecord, nodeId: string): boolean {
  if (wantsItsPlaces(workload)) return workloads.members(workload.id).some((one) => one.nodeId === nodeId);
  const { state, anew, spec } = workload;
  if (spec.gang || state !== 'queued' || anew?.policy !== 'restart') return false;
  return anew.formerNodeId === nodeId && !anew.anywhere;
}

function release(core: FleetCore, workload: WorkloadRecord, node: string): void {
  if (!endsWithItsPlace(workload)) return goAnywhere(core, workload, `${node} takes no more work`);
  if (workload.spec.gang) return void endGang(core, workload, { state: 'failed', cause: 'user' });
  const { waitsAfter: _, ...undecided } = workload;
  settleWorkload(core, undecided, 'user');
}

/** What waits to restart where it was waits no longer for that. @param why it cannot be there. */
export function goAnywhere(core: FleetCore, workload: WorkloadRecord, why: string): void {
  const { anew } = workload;
  if (!anew) return;
  waitNoMore(core, workload.id);
  const released = { ...workload, anew: { ...anew, anywhere: true } };
  core.workloads.putWorkload(released);
  core.writer.writeWorkload(released, { first: false });
  core.writer.record({
    namespace: workload.namespace,
    type: 'workload.released',
    subject: workload.id,
    cause: workload.spec.gang ? 'system' : 'user',
    message: `${workload.name} waited to restart where it was: ${why}; it may begin anew anywhere.`,
    facts: { name: workload.name, node: anew.formerNodeId },
  });
  wait(core, released);
}
