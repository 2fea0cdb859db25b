import { present } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import type { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { isGang } from '../scheduler/gang/member-shape.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { Placement } from '../scheduler/placement.ts';
import { amountsPlaced } from '../scheduler/queues/asked-amounts.ts';
import { choosingPreemption, type PreemptionPlan } from '../scheduler/queues/choose-preemption.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { Victim } from '../scheduler/queues/victims.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import { goOn, type Sliced } from '../scheduler/slices.ts';
import { WorkBudget } from '../scheduler/work-budget.ts';
import { CandidatesOnNodes, type Tried } from './candidates-on-nodes.ts';
import { TIME_SHARE } from './look-pace.ts';
import type { PlaceHolds } from './place-holds.ts';
import { preempt } from './preempt.ts';
import type { AlikeNodes } from './queue-situation.ts';
import { RoomForGang } from './room-for-gang.ts';
import { RoomOnNode, type RoomTrial } from './room-on-node.ts';
import { RoomRound } from './room-round.ts';
import { RoomSeekers } from './room-seekers.ts';
import { storedReclaim } from './stored-reclaim.ts';
import { waitingWork } from './waiting-work.ts';

/** Workloads that others make room for in one round. */
const MAX_PREEMPTORS = 4;
/** Nodes and tries of one search. */
const LIMITS = { domains: 8, fitsCalls: 60 } as const;
/** Of one for a gang, which takes longer: after so many tries all that is left has to go. */
const GANG_LIMITS = { domains: 4, tries: 40 } as const;
/** What one try costs, in looks. */
const LOOKS_PER_TRY = 40;
/** So often in a row what was found was not true any more: the next look is done in one piece. */
const MAX_MISSES = 3;

export interface MakeRoomDeps {
  readonly core: FleetCore;
  readonly packing: FleetPacking;
  readonly holds: PlaceHolds;
  /** Whether work may be taken off nodes at all now. */
  readonly mayMove: () => boolean;
  /** The fleet by likeness, for what it has in all. */
  readonly fleet: () => Iterable<AlikeNodes>;
  readonly groups: NodeGroups;
  readonly topology: FleetTopology;
  /** Has both of them take account of the nodes that have changed since. */
  readonly follow: () => void;
}

/**
 * Stops work of lower priority in the same queue, or borrowed work of others, for what would start in its
 * place: all of it, on one node or as a gang on several. The place is then kept until the last of them has
 * ended. What was tried in vain is tried again once something has changed.
 */
export class MakeRoom {
  readonly #deps: MakeRoomDeps;
  readonly #seekers: RoomSeekers;
  /** The look that is under way. */
  #look: Sliced<void> | undefined;
  /** When it began, and how much of the time since then it took. */
  #beganMs = 0;
  #tookMs = 0;
  #nextMs = -Infinity;
  /** It did not end in the turn in which it began: things may have changed meanwhile. */
  #isSplit = false;
  #misses = 0;

  constructor(deps: MakeRoomDeps) {
    this.#deps = deps;
    this.#seekers = new RoomSeekers(deps.core);
  }

  /** Whether a look goes on in the next turn. */
  get isLooking(): boolean {
    return this.#look !== undefined;
  }

  /** Looks for work that others should make room for, if it is time to, or goes on with that. */
  run(): void {
    const { core, mayMove } = this.#deps;
    const nowMs = core.clock.monotonicMs();
    if (!mayMove()) this.#look = undefined;
    else if (this.#look || nowMs >= this.#nextMs) this.#goOn(nowMs);
  }

  #goOn(nowMs: number): void {
    const { core } = this.#deps;
    if (!this.#look) {
      this.#beganMs = nowMs;
      this.#tookMs = 0;
      this.#isSplit = false;
      this.#look = this.#looking();
    }
    this.#deps.follow();
    const looks = this.#misses < MAX_MISSES ? core.options.looksPerTurn / 2 : Infinity;
    const isDone = goOn(this.#look, new WorkBudget(looks));
    this.#tookMs += core.clock.monotonicMs() - nowMs;
    this.#isSplit ||= !isDone;
    if (!isDone) return;
    this.#look = undefined;
    this.#nextMs = Math.max(this.#nextMs, this.#beganMs + TIME_SHARE * this.#tookMs);
  }

  *#looking(): Sliced<void> {
    const { holds } = this.#deps;
    const groups = this.#seekers.next(this.#beganMs, MAX_PREEMPTORS + holds.size);
    this.#nextMs = this.#beganMs + this.#everyMs(groups.length === 0);
    if (groups.length === 0) return;
    const round = yield* RoomRound.begin(this.#deps, groups);
    let left = MAX_PREEMPTORS;
    for (const group of groups) {
      if (left === 0) break;
      const outcome = round ? yield* this.#makeRoomFor(group, round) : 'none';
      if (outcome === 'made') left -= 1;
      else if (outcome === 'none') this.#seekers.triedInVain(group.key, this.#beganMs);
      this.#misses = outcome === 'missed' ? this.#misses + 1 : 0;
      if (round?.isCurrent === false) return;
    }
  }

  /** With nothing to look for the next look comes sooner, but not in every turn. */
  #everyMs(isIdle: boolean): number {
    const { queues, options } = this.#deps.core;
    const { preemptionEveryMs } = options.queues;
    return isIdle ? (queues.regime.isPlain ? 0 : preemptionEveryMs / 4) : preemptionEveryMs;
  }

  *#makeRoomFor(group: QueuedShape, round: RoomRound): Sliced<'made' | 'none' | 'missed'> {
    const workloadId = group.workloadIds.find((id) => this.#seeks(id, group));
    if (workloadId === undefined) return 'none';
    const work = waitingWork(workloadId, group, round.situation);
    const isUrgent = this.#deps.core.accounts.runsBelow(group.queue, group.priority);
    if (!isUrgent && !round.evictions.hasClaim(work)) return 'none';
    const victims = yield* round.evictions.victims(work);
    // Those that have gone for others since the round began are nobody's to take any more.
    const candidates = victims.filter(({ unit }) => round.runs(unit.id));
    if (candidates.length === 0) return 'none';
    const tried = { group, work, candidates };
    const nodes = yield* CandidatesOnNodes.find({ ...this.#deps, round }, tried);
    const trial = this.#trialOf(tried, nodes);
    const plan = yield* this.#choose(tried, trial);
    if (!plan) return 'none';
    // It may have taken several turns to find it.
    const placements = this.#placeNow(tried, plan, { round, trial });
    if (!placements) return 'missed';
    this.#carryOut({ work, victims: plan.victims, placements, nodes }, round);
    this.#deps.follow();
    return 'made';
  }

  /** It still waits as it did, and nothing makes room for it yet. */
  #seeks(workloadId: string, { key }: QueuedShape): boolean {
    const { core, holds } = this.#deps;
    return core.pending.blocked(workloadId)?.key === key && holds.of(workloadId)?.kind !== 'preemption';
  }

  #trialOf(tried: Tried, nodes: CandidatesOnNodes): RoomTrial {
    const { shape } = tried.group;
    if (!isGang(shape)) return new RoomOnNode(this.#deps.packing, tried, nodes);
    return new RoomForGang(this.#deps, { ...tried, shape }, nodes);
  }

  *#choose({ group, candidates }: Tried, trial: RoomTrial): Sliced<PreemptionPlan | undefined> {
    const domains = yield* trial.domains();
    const fits = (removed: ReadonlySet<string>, id: string): boolean =>
      trial.place(removed, id) !== undefined;
    const search = isGang(group.shape)
      ? {
          fits: atMost(GANG_LIMITS.tries, fits),
          limits: { domains: GANG_LIMITS.domains, fitsCalls: Infinity },
          looksPerFit: LOOKS_PER_TRY + this.#deps.topology.size,
        }
      : { fits, limits: LIMITS, looksPerFit: LOOKS_PER_TRY };
    const choice = yield* choosingPreemption({ candidates, domains, ...search });
    return choice.outcome === 'chosen' && choice.plan.victims.length > 0 ? choice.plan : undefined;
  }

  /** Its place as things are now; undefined if they have changed too much since it was found. */
  #placeNow(
    { group, work }: Tried,
    { victims, domainId }: PreemptionPlan,
    { round, trial }: { readonly round: RoomRound; readonly trial: RoomTrial },
  ): readonly Placement[] | undefined {
    const isTrue =
      !this.#isSplit || (round.isCurrent && this.#seeks(work.id, group) && round.isStillTrue(work, victims));
    if (!isTrue) return undefined;
    return trial.place(new Set(victims.map(({ unit }) => unit.id)), domainId);
  }

  #carryOut({ work, victims, placements, nodes }: Room, round: RoomRound): void {
    const { core, holds } = this.#deps;
    const winner = present(core.workloads.workload(work.id), 'a workload that waits');
    const units = victims.map(({ unit }) => unit);
    const reclaims = round.evictions.reclaimsBy(work, units).map(storedReclaim);
    if (reclaims.length > 0) {
      core.workloads.putWorkload({ ...winner, reclaims });
      core.writer.writeWorkload({ ...winner, reclaims }, { first: false });
    }
    const awaited = Map.groupBy(nodes.attemptsOf(units.map(({ id }) => id)), (attempt) =>
      successorOf(attempt, placements),
    );
    const graceMs = preempt(core, { work, name: winner.name, victims, running: round.running });
    const { classes, usage, isPreemptible } = round.situation;
    const startMs = core.clock.nowMs() + graceMs;
    const untilMs = core.clock.monotonicMs() + graceMs + core.options.queues.holdMs;
    const kept = placements.map((placement) => {
      const { nodeId, shape, devices, trace, member } = placement;
      const amounts = amountsPlaced(placement, classes);
      // As if it had been there when the round began: the next one must not claim the same.
      if (!core.queues.regime.isPlain) usage.charge(work.queue, amounts, isPreemptible(work.queue));
      const awaits = (awaited.get(placement) ?? []).map((attempt) => attempt.id);
      return {
        ...{ workloadId: work.id, kind: 'preemption' as const, queue: work.queue, amounts, nodeId },
        ...{ shape, devices, awaits, startMs, untilMs, ...(member ? { member: { ...member, trace } } : {}) },
      };
    });
    holds.keep(...kept);
    for (const { nodeId } of kept) core.nodes.touch(nodeId);
  }
}

type Fits = (removed: ReadonlySet<string>, domainId: string) => boolean;

/** Says no once it was asked so often: then what was not spared by then goes. */
function atMost(tries: number, fits: Fits): Fits {
  let left = tries;
  return (removed, domainId) => {
    left -= 1;
    return left >= 0 && fits(removed, domainId);
  };
}

/** Who comes to the node in its place: of several the one that gets its GPUs, if there is one. */
function successorOf(attempt: AttemptRecord, placements: readonly Placement[]): Placement | undefined {
  const there = placements.filter(({ nodeId }) => nodeId === attempt.nodeId);
  return there.find(({ devices }) => devices.some((id) => attempt.devices.includes(id))) ?? there[0];
}

/** What was found for one that waits. */
interface Room {
  readonly work: WaitingWork;
  readonly victims: readonly Victim[];
  readonly placements: readonly Placement[];
  readonly nodes: CandidatesOnNodes;
}
