import type { FleetCore } from '../../fleet-core.ts';
import type { WorkloadRecord } from '../../records.ts';
import { expelling } from '../../scheduler/node-constraints.ts';
import { shapeOf, type Shape } from '../../scheduler/resources.ts';
import { wantsItsPlaces } from '../gang/own-places.ts';
import { NODE_NAME_LABEL } from '../../scheduler/snapshot.ts';

/** More than any other preference together: only where nothing else is possible. */
const STRONGEST_WEIGHT = 100;

const LEFT: ReadonlySet<string> = new Set(['draining', 'drained', 'retired']);

/** Whether work is taken off this node, or this workload off it: then nothing waits for a place on it. */
export function nodeIsLeft(
  { nodes }: Pick<FleetCore, 'nodes'>,
  nodeId: string,
  { spec }: WorkloadRecord,
): boolean {
  const node = nodes.node(nodeId);
  if (!node || LEFT.has(node.eligibility)) return true;
  return node.taints !== undefined && expelling(node.taints, spec.tolerations ?? []).length > 0;
}

/** Lets a workload that waits be placed: at once, or when its delay is over. */
export function wait(core: FleetCore, workload: WorkloadRecord): void {
  if (!core.delayed.add(workload)) beginToWait(core, workload);
}

/** Its delay is over: it may be placed. A gang that wants the places that it had is not looked for others. */
export function beginToWait(core: FleetCore, workload: WorkloadRecord): void {
  if (!wantsItsPlaces(workload)) return core.pending.add(workload, waitingShape(core, workload));
  for (const { nodeId } of core.workloads.members(workload.id)) core.capacityChanged(nodeId);
}

/** It waits no more, for its delay or for a place. */
export function waitNoMore(core: FleetCore, workloadId: string): void {
  core.delayed.remove(workloadId);
  core.pending.remove(workloadId);
}

/** What it asks for, with where it may begin anew: its node again, any other, or rather another. */
export function waitingShape(
  { nodes }: Pick<FleetCore, 'nodes'>,
  { spec, nodeId, anew }: WorkloadRecord,
): Shape {
  if (anew?.anywhere || (spec.gang && anew?.policy === 'restart')) return shapeOf(spec, nodeId);
  if (anew?.policy === 'restart') return shapeOf(spec, anew.formerNodeId);
  const former = anew && nodes.node(anew.formerNodeId)?.name;
  if (former === undefined || anew?.policy === 'move') return shapeOf(spec, nodeId);
  const { required = [], preferred = [] } = spec.affinity ?? {};
  const elsewhere = { label: NODE_NAME_LABEL, operator: 'not-in' as const, values: [former] };
  const affinity =
    anew?.policy === 'reschedule'
      ? { required: [...required, elsewhere], preferred }
      : { required, preferred: [...preferred, { ...elsewhere, weight: STRONGEST_WEIGHT }] };
  return shapeOf({ ...spec, affinity }, nodeId);
}
