import { formatDuration } from '@clawbernetes/kernel';
import type { FleetCore } from '../../fleet-core.ts';
import type { WorkloadRecord } from '../../records.ts';
import type { Waiting } from '../../scheduler/explain.ts';
import { wantsItsPlaces } from '../gang/own-places.ts';
import { describeBeginning } from './policy-words.ts';

/**
 * When a workload whose delay has yet to pass begins anew, or a gang that waits for its own places; undefined
 * if it waits for neither.
 */
export function explainDelay(core: FleetCore, workload: WorkloadRecord): Waiting | undefined {
  const leftMs = core.delayed.leftMs(workload.id);
  const isForItsPlaces = wantsItsPlaces(workload);
  if (leftMs === undefined && !isForItsPlaces) return undefined;
  const beginning = describeBeginning(workload, formerNode(core, workload), leftMs);
  const within = `after ${formatDuration(core.options.queues.holdMs)} of waiting for them wherever there is room`;
  const places = isForItsPlaces ? ` Its places there are kept as far as they are free; ${within}.` : '';
  return { reason: 'delayed', message: `It ${beginning}.${places}` };
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
