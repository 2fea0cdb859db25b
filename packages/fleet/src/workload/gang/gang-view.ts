import type { WorkloadView } from '@clawbernetes/protocol';
import type { AttemptRecord, WorkloadRecord } from '../../records.ts';
import { standingOf, type MemberStanding } from './judge-gang.ts';

/** What is shown of a gang that has had places. */
export function gangView(
  { gang, spec }: WorkloadRecord,
  members: readonly AttemptRecord[],
): Pick<WorkloadView, 'gang'> {
  if (!gang) return {};
  const standings = members.map(standingOf);
  const count = (wanted: MemberStanding): number => standings.filter((one) => one === wanted).length;
  const { generation, phase, level } = gang;
  return {
    gang: {
      ...{ generation, phase, level },
      members: spec.gang?.members ?? members.length,
      placed: phase === 'released' ? 0 : members.length - count('gone'),
      ready: count('ready'),
      running: count('running'),
      succeeded: count('done'),
    },
  };
}
