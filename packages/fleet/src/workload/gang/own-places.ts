import { hasEnded } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../records.ts';
import { firstLeft } from '../policy/next-step.ts';

/** Whether a gang waits to restart where it was, each rank in its place. */
export function wantsItsPlaces({ spec, state, gang, anew }: WorkloadRecord): boolean {
  if (!spec.gang || gang?.phase !== 'released' || hasEnded(state)) return false;
  return anew?.policy === 'restart' && anew.anywhere !== true;
}

/** Whether the places of a gang are kept for it: it waits for them, or is about to when all have ended. */
export function keepsItsPlaces(workload: WorkloadRecord): boolean {
  if (wantsItsPlaces(workload)) return true;
  const { gang, stopRequested } = workload;
  const isFailing = gang?.phase === 'releasing' && gang.release?.hasFailed === true && !stopRequested;
  return isFailing && !hasEnded(workload.state) && firstLeft(workload, ['restart']) !== undefined;
}
