/**
 * What users see of a workload; derived from its attempts. No schema here, so that small clients load it
 * fast.
 */
export const WORKLOAD_STATES = [
  'submitted',
  'queued',
  'reserved',
  'preparing',
  'starting',
  'running',
  'stopping',
  'preempting',
  'degraded',
  'held',
  'rejected',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type WorkloadState = (typeof WORKLOAD_STATES)[number];

const ENDED: ReadonlySet<WorkloadState> = new Set(['rejected', 'succeeded', 'failed', 'cancelled']);
export function hasEnded(state: WorkloadState): boolean {
  return ENDED.has(state);
}
