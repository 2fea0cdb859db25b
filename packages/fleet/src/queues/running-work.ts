import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { addTo, type Amounts, type Dimension } from '../scheduler/queues/amounts.ts';
import type { RunningUnit } from '../scheduler/queues/running-unit.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import { minMembers } from '../workload/gang/judge-gang.ts';
import { isEnded } from '../workload/lifecycle.ts';
import type { ChargeList } from './charge-list.ts';
import type { Charge } from './queue-accounts.ts';
import { readReclaim } from './stored-reclaim.ts';

/** The least that is evicted at once, with the attempts that end with it. */
export interface RunningWork {
  readonly unit: RunningUnit;
  readonly attempts: readonly AttemptRecord[];
}

interface Charged {
  readonly attempt: AttemptRecord;
  readonly charge: Charge;
}

/** Of one unit, in looks. */
const LOOKS_PER_UNIT = 1;

/** Where what runs is found: the fleet as it is, or as it was at a moment. */
export interface RunningFacts {
  readonly accounts: { charges(): ChargeList };
  readonly workloads: Pick<FleetCore['workloads'], 'attempt' | 'workload' | 'isCurrentMember'>;
  readonly queues: Pick<FleetCore['queues'], 'regime'>;
}

/**
 * All that runs and is not on its way out, by unit: the core of a gang has the id of its workload. Of what
 * has a charge when it begins, all that still runs when its turn comes.
 */
export function* findRunning(core: RunningFacts): Sliced<ReadonlyMap<string, RunningWork>> {
  const { accounts, workloads } = core;
  const all = new Map<string, RunningWork>();
  const gangs = new Map<string, Charged[]>();
  yield* sliced(accounts.charges(), LOOKS_PER_UNIT, ([id, charge]) => {
    const attempt = workloads.attempt(id);
    const workload = attempt && workloads.workload(attempt.workloadId);
    if (!workload || workload.stopRequested || attempt.evicted || isEnded(attempt.state)) return;
    const charged = { attempt, charge };
    if (attempt.rank === undefined) {
      const unit = unitOf(core, workload, { id, part: 'core', charge, ...standingOf(attempt) });
      all.set(id, { unit, attempts: [attempt] });
    } else if (workloads.isCurrentMember(attempt)) addMember(gangs, workload.id, charged);
  });
  for (const [id, members] of gangs) {
    const workload = workloads.workload(id);
    if (workload) for (const work of gangWork(core, workload, members)) all.set(work.unit.id, work);
    yield members.length * LOOKS_PER_UNIT;
  }
  return all;
}

function addMember(gangs: Map<string, Charged[]>, gang: string, member: Charged): void {
  const known = gangs.get(gang);
  if (known) known.push(member);
  else gangs.set(gang, [member]);
}

/** Its core, and each member that it has grown by. */
function* gangWork(
  core: RunningFacts,
  workload: WorkloadRecord,
  members: readonly Charged[],
): Generator<RunningWork, void, undefined> {
  const byRank = members.toSorted((one, other) => (one.attempt.rank ?? 0) - (other.attempt.rank ?? 0));
  const least = byRank.slice(0, minMembers(workload));
  const [first] = least;
  if (!first) return;
  const amounts = new Map<Dimension, number>();
  for (const { charge } of least) addTo(amounts, charge.amounts, 1);
  const standings = least.map(({ attempt }) => standingOf(attempt));
  const startedMs = Math.min(...standings.map((one) => one.startedMs));
  const isKnown = standings.every((one) => one.isKnown);
  const charge = { ...first.charge, amounts };
  yield {
    unit: unitOf(core, workload, { id: workload.id, part: 'core', charge, startedMs, isKnown }),
    attempts: least.map(({ attempt }) => attempt),
  };
  for (const { attempt, charge: own } of byRank.slice(least.length)) {
    const facts = { id: attempt.id, part: 'surplus' as const, charge: own, ...standingOf(attempt) };
    yield { unit: unitOf(core, workload, facts), attempts: [attempt] };
  }
}

function standingOf({ startedAtMs, placedAtMs, unknownSinceMs }: AttemptRecord): {
  readonly startedMs: number;
  readonly isKnown: boolean;
} {
  return { startedMs: startedAtMs ?? placedAtMs, isKnown: unknownSinceMs === undefined };
}

interface UnitFacts {
  readonly id: string;
  readonly part: RunningUnit['part'];
  readonly charge: {
    readonly queue: string;
    readonly priority: number;
    readonly preemptible: boolean;
    readonly amounts: Amounts;
  };
  readonly startedMs: number;
  readonly isKnown: boolean;
}

function unitOf(core: RunningFacts, workload: WorkloadRecord, facts: UnitFacts): RunningUnit {
  const { id, part, charge, startedMs, isKnown } = facts;
  const { queue, priority, preemptible, amounts } = charge;
  const unit: RunningUnit = {
    ...{ id, workloadId: workload.id, part, queue, priority, amounts, startedMs },
    // Out of reach it could not be stopped, and nobody would know when it has ended; what is bound to its
    // node could not begin anew elsewhere.
    preemptible: preemptible && isKnown && workload.nodeId === undefined,
    preemptions: workload.preemptions ?? 0,
  };
  const minRuntimeMs = core.queues.regime.record(queue)?.minRuntimeMs;
  const { lastPreemptedMs, reclaims } = workload;
  // Made often, and nearly all are of this kind.
  if (minRuntimeMs === undefined && lastPreemptedMs === undefined && reclaims === undefined) return unit;
  return {
    ...unit,
    ...(minRuntimeMs === undefined ? {} : { minRuntimeMs }),
    ...(lastPreemptedMs === undefined ? {} : { lastPreemptedMs }),
    ...(reclaims ? { reclaims: reclaims.map(readReclaim) } : {}),
  };
}
