import { assert } from '@clawbernetes/kernel';
import { RETRY_POLICIES, type EndReason, type RetryPolicy } from '@clawbernetes/protocol';
import type { AttemptRecord, BeginningAnew, Tries, WorkloadRecord } from '../../records.ts';
import { isEnded } from '../lifecycle.ts';

/** How an attempt ended, as far as it decides what follows. */
export type EndKind = 'good' | 'failure' | 'time-limit' | 'infrastructure';

/**
 * Why a workload that could begin anew does not: its tries are used up, or it is exclusive and nothing proves
 * that its former attempt has ended.
 */
export type Obstruction = 'used-up' | 'unproven';

export type NextStep =
  /** Of the policy that would have been next, if there is one. */
  | { readonly step: 'end'; readonly because?: Obstruction; readonly policy?: RetryPolicy }
  | { readonly step: 'begin'; readonly anew: BeginningAnew; readonly tries?: WorkloadRecord['tries'] };

export interface StepContext {
  /** Wall clock. */
  readonly nowMs: number;
  /** Work is taken off its node: one that may only go there again may go anywhere. */
  readonly nodeIsLeft: boolean;
  readonly maxMoves: number;
}

/** Nothing that the program did: these spend nobody's restarts. */
const INFRASTRUCTURE: ReadonlySet<EndReason | undefined> = new Set([
  'supervisor-lost',
  'node-restarted',
  'disconnected',
  'executor-unavailable',
  'sandbox-unavailable',
  // Nobody asked for it here: its machine was shut down.
  'stopped',
]);

/** An attempt that ran for so many of its longest delays was good, and delays begin anew; as in kubelet. */
const GOOD_RUN_DELAYS = 2;
const END: NextStep = { step: 'end' };

/**
 * What follows once an attempt has ended; pure. On a failure: its node again, then another, then the end.
 * What was taken off its node, or lost with it, has ways of its own that spend nothing of those.
 */
export function nextStep(workload: WorkloadRecord, attempt: AttemptRecord, context: StepContext): NextStep {
  assert(isEnded(attempt.state), 'what follows is asked once an attempt has ended');
  if (workload.stopRequested) return END;
  const always = workload.spec.restart?.on === 'always';
  const kind = endKind(attempt);
  if (kind === 'time-limit' || (kind === 'good' && !always)) return END;
  if (attempt.evicted) return afterEviction(workload, attempt, context);
  const policies: readonly RetryPolicy[] =
    kind === 'good' ? ['restart'] : kind === 'failure' ? ['restart', 'reschedule'] : ['replace'];
  const policy = firstLeft(workload, policies);
  return policy === undefined ? usedUp(workload, policies) : retry(workload, attempt, policy, context);
}

/** The first of these policies that the workload asks for and has a try left of. */
export function firstLeft(
  workload: WorkloadRecord,
  policies: readonly RetryPolicy[],
): RetryPolicy | undefined {
  return policies.find((policy) => mayUse(workload, policy) && left(workload, policy) > 0);
}

/** The end of one that has no try left of any of these policies. */
export function usedUp(workload: WorkloadRecord, policies: readonly RetryPolicy[]): NextStep {
  const policy = policies.findLast((one) => mayUse(workload, one));
  return policy === undefined ? END : { step: 'end', because: 'used-up', policy };
}

export function endKind(attempt: AttemptRecord): EndKind {
  const { state, exitCode, endReason } = attempt;
  if (state === 'lost' || INFRASTRUCTURE.has(endReason)) return 'infrastructure';
  if (endReason === 'timeout') return 'time-limit';
  return state === 'exited' && exitCode === 0 ? 'good' : 'failure';
}

/** Its node has reported its end, or it must have ended by itself by then: no person's word counts. */
export function isProvenEnded({ state, fenced }: AttemptRecord): boolean {
  return state === 'exited' || state === 'killed' || (state === 'lost' && fenced === true);
}

/** Before the try of this number without a good run in between, ms. */
export function delayBefore(
  { delayMs, maxDelayMs }: { readonly delayMs: number; readonly maxDelayMs: number },
  inARow: number,
): number {
  return Math.min(maxDelayMs, delayMs * 2 ** (inARow - 1));
}

/** Of each policy that the workload asks for: how many tries it has, and how many are spent. */
export function budgetsOf({
  spec,
  tries,
}: WorkloadRecord): Partial<Record<RetryPolicy, { readonly attempts: number; readonly spent: number }>> {
  const asked = RETRY_POLICIES.filter((policy) => (spec[policy]?.attempts ?? 0) > 0);
  return Object.fromEntries(
    asked.map((policy) => [
      policy,
      { attempts: spec[policy]?.attempts ?? 0, spent: tries?.[policy]?.spent ?? 0 },
    ]),
  );
}

function afterEviction(
  workload: WorkloadRecord,
  attempt: AttemptRecord,
  { nowMs, maxMoves }: StepContext,
): NextStep {
  // What makes room for others has done nothing wrong: it spends nothing.
  const isPreempted = attempt.evicted?.cause === 'preemptor';
  if (endsWithItsPlace(workload) || (!isPreempted && (workload.moves ?? 0) >= maxMoves)) return END;
  if (isUnproven(workload, attempt)) return { step: 'end', because: 'unproven' };
  return { step: 'begin', anew: beginning(attempt, { policy: 'move', nowMs, delayMs: 0 }) };
}

/** It is bound to its node, or wants no other when that is taken from it. */
export function endsWithItsPlace({ nodeId, spec }: WorkloadRecord): boolean {
  return nodeId !== undefined || spec.reschedule?.evicted === 'end';
}

function retry(
  workload: WorkloadRecord,
  attempt: AttemptRecord,
  policy: RetryPolicy,
  { nowMs, nodeIsLeft }: StepContext,
): NextStep {
  if (isUnproven(workload, attempt)) return { step: 'end', because: 'unproven', policy };
  const isReleased = policy === 'restart' && nodeIsLeft;
  if (isReleased && endsWithItsPlace(workload)) return END;
  const { delayMs, tries } = spend(workload, policy, runMs(attempt));
  const anew = beginning(attempt, { policy, nowMs, delayMs });
  return { step: 'begin', anew: isReleased ? { ...anew, anywhere: true } : anew, tries };
}

/** One try of a policy that has one left. @param ranMs how long it ran since it began last. */
export function spend(
  { spec, tries }: Pick<WorkloadRecord, 'spec' | 'tries'>,
  policy: RetryPolicy,
  ranMs: number,
): { readonly delayMs: number; readonly tries: NonNullable<WorkloadRecord['tries']> } {
  const { [policy]: limits } = spec;
  assert(limits !== undefined, 'a policy that is used was asked for');
  const before: Tries = tries?.[policy] ?? { spent: 0, inARow: 0 };
  assert(before.spent < limits.attempts, 'a policy that is used has a try left');
  const ranWell = ranMs >= GOOD_RUN_DELAYS * limits.maxDelayMs;
  const inARow = ranWell ? 1 : before.inARow + 1;
  return {
    delayMs: delayBefore(limits, inARow),
    tries: { ...tries, [policy]: { spent: before.spent + 1, inARow } },
  };
}

function beginning(
  { nodeId }: AttemptRecord,
  { policy, nowMs, delayMs }: Pick<BeginningAnew, 'policy' | 'delayMs'> & { readonly nowMs: number },
): BeginningAnew {
  return { policy, formerNodeId: nodeId, delayMs, notBeforeMs: nowMs + delayMs };
}

function isUnproven({ spec }: WorkloadRecord, attempt: AttemptRecord): boolean {
  return spec.exclusive === true && !isProvenEnded(attempt);
}

/** One that is bound to its node by its request never goes to another. */
function mayUse({ spec, nodeId }: WorkloadRecord, policy: RetryPolicy): boolean {
  return (spec[policy]?.attempts ?? 0) > 0 && (policy === 'restart' || nodeId === undefined);
}

function left({ spec, tries }: WorkloadRecord, policy: RetryPolicy): number {
  return (spec[policy]?.attempts ?? 0) - (tries?.[policy]?.spent ?? 0);
}

/** Less than any run, where it has none. */
function runMs({ startedAtMs, finishedAtMs }: AttemptRecord): number {
  return startedAtMs === undefined || finishedAtMs === undefined ? -1 : finishedAtMs - startedAtMs;
}
