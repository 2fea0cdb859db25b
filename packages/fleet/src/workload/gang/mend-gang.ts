import type { AttemptRecord, WorkloadRecord } from '../../records.ts';
import { firstLeft, isProvenEnded } from '../policy/next-step.ts';
import { isLostMember, minMembers } from './judge-gang.ts';
import { isPaid } from './next-gang-step.ts';

/** Which members are to be replaced where the others stay, and what that spends. */
export interface Mend {
  readonly ranks: readonly number[];
  /** Of the workload, what is different afterwards. */
  readonly spent: Pick<WorkloadRecord, 'tries' | 'gang'>;
}

interface MendContext {
  /** Of the gang now, those that are gone included. */
  readonly members: number;
  /** Wall clock. */
  readonly nowMs: number;
  /** Losses that follow each other so closely are one incident, ms. */
  readonly graceMs: number;
}

/**
 * Replacing these members of a gang whose others go on; undefined if they cannot be: all must begin anew, or
 * it goes on without them. Pure. However many were lost, one try is spent, and none on what the fleet moved.
 */
export function mendOf(
  workload: WorkloadRecord,
  gone: readonly AttemptRecord[],
  context: MendContext,
): Mend | undefined {
  const replaced = gone.filter((member) => mayBeReplaced(workload, member));
  // Those who stay away must be such that the others can do without.
  const away = gone.filter((member) => !replaced.includes(member));
  const isEnough = context.members - away.length >= minMembers(workload);
  if (replaced.length === 0 || !isEnough) return undefined;
  if (!away.every((member) => goesOnWithout(workload, member))) return undefined;
  const spent = spentOn(workload, replaced, context);
  return spent && { ranks: replaced.map(({ rank = 0 }) => rank), spent };
}

/** Whether a gang that has members enough may do without this one. */
export function goesOnWithout(workload: WorkloadRecord, { rank }: AttemptRecord): boolean {
  return rank !== 0 || !hasRendezvous(workload);
}

/** Its members meet at the address of rank 0, which nobody can tell them anew. */
export function hasRendezvous({ spec }: WorkloadRecord): boolean {
  return spec.network !== 'none';
}

function mayBeReplaced(workload: WorkloadRecord, member: AttemptRecord): boolean {
  if (workload.spec.exclusive === true && !isProvenEnded(member)) return false;
  return member.rank !== 0 || !hasRendezvous(workload);
}

function spentOn(
  workload: WorkloadRecord,
  replaced: readonly AttemptRecord[],
  { nowMs, graceMs }: Pick<MendContext, 'nowMs' | 'graceMs'>,
): Mend['spent'] | undefined {
  const { spec, gang, tries } = workload;
  if (spec.replace === undefined || !gang || !replaced.some(isLostMember)) return {};
  if (isPaid(gang, nowMs, graceMs)) return {};
  if (firstLeft(workload, ['replace']) === undefined) return undefined;
  const { spent, inARow } = tries?.replace ?? { spent: 0, inARow: 0 };
  return {
    tries: { ...tries, replace: { spent: spent + 1, inARow } },
    gang: { ...gang, mendedAtMs: nowMs },
  };
}
