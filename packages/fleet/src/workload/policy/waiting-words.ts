import type { FleetCore } from '../../fleet-core.ts';
import type { WorkloadRecord } from '../../records.ts';
import type { Waiting } from '../../scheduler/explain.ts';
import { describeBeginning } from './policy-words.ts';

/** When a workload whose delay has yet to pass begins anew; undefined if it waits for none. */
export function explainDelay(core: FleetCore, workload: WorkloadRecord): Waiting | undefined {
  const leftMs = core.delayed.leftMs(workload.id);
  if (leftMs === undefined) return undefined;
  return {
    reason: 'delayed',
    message: `It ${describeBeginning(workload, formerNode(core, workload), leftMs)}.`,
  };
}

/** Why it waits for a place, with how it came to that if it has run before. */
export function explainAnew<Told extends Waiting>(
  core: FleetCore,
  workload: WorkloadRecord,
  waiting: Told,
): Told {
  if (!workload.anew || workload.anew.policy === 'move') return waiting;
  const how = `It ${describeBeginning(workload, formerNode(core, workload))} as soon as it can.`;
  return { ...waiting, message: `${how} ${waiting.message}` };
}

export function formerNode({ nodes }: FleetCore, { anew }: WorkloadRecord): string {
  const id = anew?.formerNodeId ?? '';
  return nodes.node(id)?.name ?? id;
}
