import { formatDuration } from '@clawbernetes/kernel';
import type { BeginPolicy, RetryPolicy } from '@clawbernetes/protocol';
import type { WorkloadRecord } from '../../records.ts';
import type { NextStep } from './next-step.ts';

/** `restart 2 of 5`; `move 3`. */
export function describeTry({ spec, tries, moves }: WorkloadRecord, policy: BeginPolicy): string {
  if (policy === 'move') return `move ${moves ?? 0}`;
  return `${policy} ${tries?.[policy]?.spent ?? 0} of ${spec[policy]?.attempts ?? 0}`;
}

/** `begins anew on gpu-07 in 8s (restart 2 of 5)`. @param leftMs of its delay; absent = it is over. */
export function describeBeginning(workload: WorkloadRecord, formerNode: string, leftMs?: number): string {
  const { policy = 'move', anywhere = false } = workload.anew ?? {};
  const when = leftMs === undefined ? '' : ` in ${formatDuration(leftMs)}`;
  const where = anywhere ? `on any node, since ${formerNode} takes no more` : whereTo(policy, formerNode);
  return `begins anew ${where}${when} (${describeTry(workload, policy)})`;
}

function whereTo(policy: BeginPolicy, formerNode: string): string {
  switch (policy) {
    case 'restart':
      return `on ${formerNode}`;
    case 'reschedule':
      return `on another node than ${formerNode}`;
    case 'replace':
      return `on another node, ${formerNode} only if there is none`;
    case 'move':
      return 'on another node';
  }
}

const USED_UP: Record<RetryPolicy, string> = {
  restart: 'restarts',
  reschedule: 'reschedules',
  replace: 'replacements',
};

/** Why it does not begin anew though it asked for it; empty if it did not. */
export function describeObstruction({ spec }: WorkloadRecord, next: NextStep | undefined): string {
  if (next?.step !== 'end' || next.because === undefined) return '';
  if (next.because === 'unproven')
    return (
      ' It is exclusive and does not begin anew, since nothing proves that its former attempt has ended; ' +
      'make sure of that and submit it again.'
    );
  const { policy = 'restart' } = next;
  return ` Its ${USED_UP[policy]} are used up (${spec[policy]?.attempts ?? 0}).`;
}
