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
  const where = workload.spec.gang
    ? whereAll(policy, formerNode, anywhere)
    : anywhere
      ? `on any node, since ${formerNode} takes no more`
      : whereTo(policy, formerNode);
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

/** Of all members of a gang. */
function whereAll(policy: BeginPolicy, formerNode: string, anywhere: boolean): string {
  if (anywhere) return 'on any nodes, since not all of its own take it again';
  switch (policy) {
    case 'restart':
      return 'as a whole on the nodes that it had';
    case 'reschedule':
      return `as a whole on other nodes than ${formerNode}`;
    case 'replace':
      return `as a whole, on ${formerNode} only if there is no other place`;
    case 'move':
      return 'as a whole on other nodes';
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
  if (next.because === 'unproven') {
    const former = spec.gang ? 'all its members have' : 'its former attempt has';
    return (
      ` It is exclusive and does not begin anew, since nothing proves that ${former} ended; ` +
      'make sure of that and submit it again.'
    );
  }
  const { policy = 'restart' } = next;
  return ` Its ${USED_UP[policy]} are used up (${spec[policy]?.attempts ?? 0}).`;
}
