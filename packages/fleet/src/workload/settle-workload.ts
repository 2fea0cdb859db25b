import { hasEnded, type Cause } from '@clawbernetes/protocol';
import { commitWorkload, type FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { describeEnd } from './describe-end.ts';
import { settleGang } from './gang/settle-gang.ts';
import { deriveState, isEnded } from './lifecycle.ts';
import { nodeIsLeft, wait, waitNoMore } from './policy/begin-anew.ts';
import { nextStep, type NextStep } from './policy/next-step.ts';
import { describeBeginning, describeObstruction } from './policy/policy-words.ts';

/**
 * Brings a workload in line with its latest attempt, and its end to whoever waits for it. What follows an
 * attempt that has ended is decided here, once.
 */
export function settleWorkload(core: FleetCore, settled: WorkloadRecord, cause: Cause): WorkloadRecord {
  if (settled.spec.gang) return settleGang(core, settled, cause);
  const attempt = core.workloads.latestAttempt(settled.id);
  const after = decide(core, settled, attempt);
  const workload = after?.step === 'begin' && attempt ? beginning(settled, attempt, after) : settled;
  const state = deriveState(workload, attempt);
  const started = attempt?.startedAtMs ?? workload.startedAtMs;
  const next: WorkloadRecord = {
    ...workload,
    state,
    ...(started === undefined ? {} : { startedAtMs: started }),
    ...(hasEnded(state) ? { finishedAtMs: finishedAtMs(core, workload, attempt) } : {}),
  };
  commitWorkload(core, next, cause, describe(core, next, attempt, after));
  if (after?.step === 'begin') wait(core, next);
  if (hasEnded(state) && !hasEnded(workload.state)) {
    waitNoMore(core, workload.id);
    core.writer.whenDurable(() => core.listeners.ended(workload.id));
  }
  return next;
}

/** What follows; undefined while it runs, and once that was decided. */
function decide(
  core: FleetCore,
  workload: WorkloadRecord,
  attempt: AttemptRecord | undefined,
): NextStep | undefined {
  const isDecided = attempt?.number === workload.waitsAfter || hasEnded(workload.state);
  if (!attempt || !isEnded(attempt.state) || isDecided) return undefined;
  return nextStep(workload, attempt, {
    nowMs: core.clock.nowMs(),
    nodeIsLeft: nodeIsLeft(core, attempt.nodeId, workload),
    maxMoves: core.options.maxMoves,
  });
}

function beginning(
  workload: WorkloadRecord,
  { number, evicted }: AttemptRecord,
  { anew, tries }: NextStep & { readonly step: 'begin' },
): WorkloadRecord {
  const moves =
    anew.policy === 'move' && evicted?.cause !== 'preemptor' ? { moves: (workload.moves ?? 0) + 1 } : {};
  return { ...workload, waitsAfter: number, anew, ...(tries ? { tries } : {}), ...moves };
}

/** One that waited to begin anew ended when somebody said so, not when it ran last. */
function finishedAtMs(core: FleetCore, workload: WorkloadRecord, attempt: AttemptRecord | undefined): number {
  const waited = attempt?.number === workload.waitsAfter;
  return (waited ? undefined : attempt?.finishedAtMs) ?? core.clock.nowMs();
}

function describe(
  core: FleetCore,
  workload: WorkloadRecord,
  attempt: AttemptRecord | undefined,
  after: NextStep | undefined,
): string {
  const { name, state, anew } = workload;
  if (state === 'queued' && attempt?.evicted)
    return `${name} waits for another node: ${attempt.evicted.message}`;
  if (!attempt || !isEnded(attempt.state)) return `${name} is ${state}.`;
  const end = describeEnd(attempt);
  if (state !== 'queued' || !anew) return `${name} ${state}: ${end}.${describeObstruction(workload, after)}`;
  const former = core.nodes.node(anew.formerNodeId)?.name ?? anew.formerNodeId;
  return `Attempt ${attempt.number} of ${name} ended: ${end}. It ${describeBeginning(workload, former, anew.delayMs)}.`;
}
