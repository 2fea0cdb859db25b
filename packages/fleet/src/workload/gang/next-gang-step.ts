import type { RetryPolicy } from '@clawbernetes/protocol';
import type { AttemptRecord, BeginningAnew, GangRecord, WorkloadRecord } from '../../records.ts';
import {
  delayBefore,
  endsWithItsPlace,
  firstLeft,
  isProvenEnded,
  spend,
  usedUp,
  type NextStep,
} from '../policy/next-step.ts';
import { isLostMember, standingOf, type GangEnd } from './judge-gang.ts';

export interface GangStepFacts {
  readonly workload: WorkloadRecord;
  readonly gang: GangRecord;
  /** By rank. */
  readonly members: readonly AttemptRecord[];
  readonly end: GangEnd;
}

export interface GangStepContext {
  /** Wall clock. */
  readonly nowMs: number;
  /** Not all of its nodes take it again: one that may only go there again may go anywhere. */
  readonly placesAreLeft: boolean;
  readonly maxMoves: number;
  /** Losses that follow each other so closely are one incident, ms. */
  readonly graceMs: number;
}

/** Between reservations of a gang none of which got ready, ms. */
const IN_VAIN = { delayMs: 1000, maxDelayMs: 300_000 } as const;
const END: NextStep = { step: 'end' };
const ON_FAILURE: readonly RetryPolicy[] = ['restart', 'reschedule'];

/**
 * What follows once a reservation is over; pure, and asked once for each: so whatever befell however many of
 * its members spends one try. On a failure all begin anew where they were, then elsewhere, then it ends.
 */
export function nextGangStep(facts: GangStepFacts, context: GangStepContext): NextStep {
  const { workload, members } = facts;
  const step = stepAfter(facts, context);
  if (step.step === 'end' || workload.spec.exclusive !== true || members.every(isProvenEnded)) return step;
  const { policy } = step.anew;
  return { step: 'end', because: 'unproven', ...(policy === 'move' ? {} : { policy }) };
}

function stepAfter(facts: GangStepFacts, context: GangStepContext): NextStep {
  const { workload, end } = facts;
  switch (end) {
    case 'good':
      return workload.spec.restart?.on === 'always' ? retry(facts, context, ['restart']) : END;
    case 'failure':
      return retry(facts, context, ON_FAILURE);
    case 'loss':
      return afterLoss(facts, context);
    case 'move':
      return move(facts, context, context.maxMoves);
    case 'preempted':
      return move(facts, context, Infinity);
    case 'time-limit':
    case 'given-up':
      return END;
  }
}

/** Without a budget for it, machines may fail a gang as often as the fleet moves it. */
function afterLoss(facts: GangStepFacts, context: GangStepContext): NextStep {
  const { workload, gang } = facts;
  // What had not begun has lost nothing.
  if (workload.spec.replace === undefined || gang.begunAtMs === undefined)
    return move(facts, context, context.maxMoves);
  if (!isPaid(gang, gang.sinceMs, context.graceMs)) return retry(facts, context, ['replace']);
  const inARow = workload.tries?.replace?.inARow ?? 1;
  return begin(facts, context, { policy: 'replace', delayMs: delayBefore(workload.spec.replace, inARow) });
}

/** Whether a loss at this moment belongs to the incident that a try was spent on last. */
export function isPaid({ mendedAtMs }: GangRecord, lostAtMs: number, graceMs: number): boolean {
  if (mendedAtMs === undefined) return false;
  const passedMs = lostAtMs - mendedAtMs;
  // A clock that was set back proves nothing.
  return passedMs >= 0 && passedMs < graceMs;
}

function retry(facts: GangStepFacts, context: GangStepContext, policies: readonly RetryPolicy[]): NextStep {
  const { workload } = facts;
  const policy = firstLeft(workload, policies);
  if (policy === undefined) return usedUp(workload, policies);
  const isReleased = policy === 'restart' && context.placesAreLeft;
  if (isReleased && endsWithItsPlace(workload)) return END;
  const { delayMs, tries } = spend(workload, policy, runMs(facts));
  const step = begin(facts, context, { policy, delayMs, ...(isReleased ? { anywhere: true } : {}) });
  return { ...step, tries };
}

function move(facts: GangStepFacts, context: GangStepContext, maxMoves: number): NextStep {
  const { workload, gang, members, end } = facts;
  if (endsWithItsPlace(workload) || (workload.moves ?? 0) >= maxMoves) return END;
  // The first time it was bad luck; then whatever keeps it from getting ready is given time to pass.
  const inVain = inVainAfter(gang, members, end);
  const delayMs = inVain > 1 ? delayBefore(IN_VAIN, inVain - 1) : 0;
  return begin(facts, context, { policy: 'move', delayMs });
}

/** Reservations in a row, this one included, of which no member began. */
export function inVainAfter(gang: GangRecord, members: readonly AttemptRecord[], end: GangEnd): number {
  const hasBegun = members.some(({ startedAtMs }) => startedAtMs !== undefined);
  return hasBegun || end === 'preempted' ? 0 : (gang.inVain ?? 0) + 1;
}

function begin(
  { members, end }: GangStepFacts,
  { nowMs }: GangStepContext,
  how: Pick<BeginningAnew, 'policy' | 'delayMs' | 'anywhere'>,
): NextStep & { readonly step: 'begin' } {
  const formerNodeId = culprit(members, end)?.nodeId ?? '';
  return { step: 'begin', anew: { ...how, formerNodeId, notBeforeMs: nowMs + how.delayMs } };
}

/** The member that was the reason. */
function culprit(members: readonly AttemptRecord[], end: GangEnd): AttemptRecord | undefined {
  if (end === 'failure') return spokesman(members);
  return end === 'loss' ? (members.find(isLostMember) ?? members[0]) : members[0];
}

/** The member whose end says most of the gang's: the first that failed by itself, else that of rank 0. */
export function spokesman(members: readonly AttemptRecord[]): AttemptRecord | undefined {
  const failed = members
    .filter((member) => standingOf(member) === 'failed')
    .toSorted((left, right) => (left.finishedAtMs ?? 0) - (right.finishedAtMs ?? 0));
  return failed[0] ?? members[0];
}

/** From the beginning of its programs to the end of the member that was the reason; -1 if none has begun. */
function runMs({ members, end }: GangStepFacts): number {
  const started = members.flatMap(({ startedAtMs }) => startedAtMs ?? []);
  const { finishedAtMs } = culprit(members, end) ?? {};
  return started.length === 0 || finishedAtMs === undefined ? -1 : finishedAtMs - Math.min(...started);
}
