import { present } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import type { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { isGang } from '../scheduler/gang/member-shape.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { Placement } from '../scheduler/placement.ts';
import { amountsPlaced } from '../scheduler/queues/asked-amounts.ts';
import { choosePreemption } from '../scheduler/queues/choose-preemption.ts';
import { compareInQueue, type QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { Evictions, type Victim } from '../scheduler/queues/victims.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import type { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import { CandidatesOnNodes, type Round, type Tried } from './candidates-on-nodes.ts';
import type { PlaceHolds } from './place-holds.ts';
import { preempt } from './preempt.ts';
import { queueSituation, queueState, type AlikeNodes } from './queue-situation.ts';
import { RoomForGang } from './room-for-gang.ts';
import { RoomOnNode, type RoomTrial } from './room-on-node.ts';
import { runningWork } from './running-work.ts';
import { storedReclaim } from './stored-reclaim.ts';
import { waitingWork } from './waiting-work.ts';

/** Groups of what waits that are looked at in one round, and workloads that others make room for in it. */
const MAX_GROUPS = 8;
const MAX_PREEMPTORS = 4;
/** Nodes and tries of one search: it holds the event loop for that long. */
const LIMITS = { domains: 8, fitsCalls: 60 } as const;
/** Of one for a gang, which takes longer: after so many tries, or so long, all that is left has to go. */
const GANG_LIMITS = { domains: 4, tries: 40, ms: 20 } as const;
/** What has not changed is tried again after so long, since guards end with time, ms. */
const TRY_AGAIN_MS = 5000;
/** And what has changed, not before, ms. */
const SOON_MS = 1000;
/** Looks take at most one part in so many of the time, however much runs. */
const TIME_SHARE = 20;

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
  /** By group that waits: when it was tried in vain last, and what the fleet was then. */
  readonly #tried = new Map<string, { readonly version: number; readonly atMs: number }>();
  #nextMs = -Infinity;

  constructor(deps: MakeRoomDeps) {
    this.#deps = deps;
  }

  /** Looks for work that others should make room for, if it is time to. */
  run(): void {
    const { core } = this.#deps;
    const startMs = core.clock.monotonicMs();
    if (startMs < this.#nextMs || !this.#deps.mayMove()) return;
    const groups = this.#worthTrying(startMs);
    this.#nextMs = startMs + this.#everyMs(groups.length === 0);
    const round = groups.length === 0 ? undefined : this.#round(groups);
    if (!round) return;
    let left = MAX_PREEMPTORS;
    for (const group of this.#next(groups)) {
      if (left === 0) break;
      if (this.#makeRoomFor(group, round)) left -= 1;
      else this.#tried.set(group.key, { version: this.#version, atMs: startMs });
    }
    this.#giveBackHeld(round);
    const tookMs = core.clock.monotonicMs() - startMs;
    this.#nextMs = startMs + Math.max(this.#everyMs(false), TIME_SHARE * tookMs);
  }

  /** With nothing to look for the next look comes sooner, but not in every turn. */
  #everyMs(isIdle: boolean): number {
    const { queues, options } = this.#deps.core;
    const { preemptionEveryMs } = options.queues;
    return isIdle ? (queues.regime.isPlain ? 0 : preemptionEveryMs / 4) : preemptionEveryMs;
  }

  get #version(): number {
    return this.#deps.core.nodes.version;
  }

  /** What waits although something that runs might have to go for it: told cheaply, being asked often. */
  #worthTrying(nowMs: number): readonly QueuedShape[] {
    const { core, holds } = this.#deps;
    const { accounts, pending } = core;
    const { isPlain } = core.queues.regime;
    if (isPlain && !pending.mayPreempt((queue, priority) => accounts.runsBelow(queue, priority))) return [];
    const waiting = pending.waitingShapes(MAX_PREEMPTORS + holds.size);
    this.#forgetOthersThan(waiting);
    return waiting.filter(({ key, queue, priority }) => {
      const tried = this.#tried.get(key);
      const ageMs = tried ? nowMs - tried.atMs : Infinity;
      if (ageMs < SOON_MS || (ageMs < TRY_AGAIN_MS && tried?.version === this.#version)) return false;
      return !isPlain || accounts.runsBelow(queue, priority);
    });
  }

  #forgetOthersThan(waiting: readonly QueuedShape[]): void {
    if (this.#tried.size === 0) return;
    const keys = new Set(waiting.map(({ key }) => key));
    for (const key of this.#tried.keys()) if (!keys.has(key)) this.#tried.delete(key);
  }

  /** Those that were not tried for longest: some that cannot be helped keep nobody from being helped. */
  #next(groups: readonly QueuedShape[]): readonly QueuedShape[] {
    const triedMs = ({ key }: QueuedShape): number => this.#tried.get(key)?.atMs ?? -Infinity;
    const next = groups.toSorted((one, other) =>
      triedMs(one) < triedMs(other) ? -1 : Number(triedMs(one) > triedMs(other)),
    );
    return next.slice(0, MAX_GROUPS).toSorted(compareInQueue);
  }

  /**
   * What runs, and who may go for whom; places that are kept count as if they were taken. Undefined if nobody
   * has a claim: then what runs is not looked at.
   */
  #round(groups: readonly QueuedShape[]): Round | undefined {
    const { core, fleet, holds } = this.#deps;
    const { regime } = core.queues;
    const situation = queueSituation(queueState(core), fleet(), core.pending.queued());
    for (const { queue, amounts } of holds.uncounted())
      if (!regime.isPlain) situation.usage.charge(queue, amounts, regime.isPreemptible(queue));
    const input = { ...situation, guards: core.options.queues.guards, nowMs: core.clock.nowMs() };
    const claims = new Evictions({ ...input, units: [] });
    const isWorthIt = groups.some(
      (group) =>
        core.accounts.runsBelow(group.queue, group.priority) ||
        claims.hasClaim(waitingWork(group.key, group, situation)),
    );
    const running = isWorthIt ? runningWork(core) : new Map<string, never>();
    const evictions = new Evictions({ ...input, units: Array.from(running.values(), ({ unit }) => unit) });
    const round = { situation, evictions, running };
    if (isWorthIt) return round;
    this.#giveBackHeld(round);
    return undefined;
  }

  #giveBackHeld({ situation }: Round): void {
    const { core, holds } = this.#deps;
    const { regime } = core.queues;
    if (regime.isPlain) return;
    for (const { queue, amounts } of holds.uncounted())
      situation.usage.refund(queue, amounts, regime.isPreemptible(queue));
  }

  #makeRoomFor(group: QueuedShape, round: Round): boolean {
    const { holds } = this.#deps;
    const workloadId = group.workloadIds.find((id) => holds.of(id)?.kind !== 'preemption');
    if (workloadId === undefined) return false;
    const work = waitingWork(workloadId, group, round.situation);
    const isUrgent = this.#deps.core.accounts.runsBelow(group.queue, group.priority);
    if (!isUrgent && !round.evictions.hasClaim(work)) return false;
    // Those that have gone for others since the round began are nobody's to take any more.
    const candidates = round.evictions.victimsFor(work).filter(({ unit }) => !this.#isGoing(unit.id, round));
    if (candidates.length === 0) return false;
    const tried = { group, work, candidates };
    const nodes = new CandidatesOnNodes({ ...this.#deps, round }, tried);
    const choice = this.#choose(tried, this.#trialOf(tried, nodes));
    if (!choice) return false;
    this.#carryOut({ work, ...choice, nodes }, round);
    return true;
  }

  #isGoing(unitId: string, { running }: Round): boolean {
    const { workloads } = this.#deps.core;
    const attempts = running.get(unitId)?.attempts ?? [];
    return attempts.some(({ id }) => workloads.attempt(id)?.evicted !== undefined);
  }

  #trialOf(tried: Tried, nodes: CandidatesOnNodes): RoomTrial {
    const { shape } = tried.group;
    if (!isGang(shape)) return new RoomOnNode(this.#deps.packing, tried, nodes);
    this.#deps.follow();
    return new RoomForGang(this.#deps, { ...tried, shape }, nodes);
  }

  #choose(
    { group, candidates }: Tried,
    trial: RoomTrial,
  ): { readonly victims: readonly Victim[]; readonly placements: readonly Placement[] } | undefined {
    const domains = trial.domains();
    const place = trial.place.bind(trial);
    const fits = (removed: ReadonlySet<string>, id: string): boolean => place(removed, id) !== undefined;
    const search = isGang(group.shape)
      ? { fits: this.#inTime(fits), limits: { domains: GANG_LIMITS.domains, fitsCalls: Infinity } }
      : { fits, limits: LIMITS };
    const choice = choosePreemption({ candidates, domains, ...search });
    if (choice.outcome !== 'chosen' || choice.plan.victims.length === 0) return undefined;
    const { victims, domainId } = choice.plan;
    const placements = trial.place(new Set(victims.map(({ unit }) => unit.id)), domainId);
    return { victims, placements: present(placements, 'the place that was found') };
  }

  /** Says no once its time is over: then what was not spared by then goes. */
  #inTime(fits: Fits): Fits {
    const { clock } = this.#deps.core;
    const startMs = clock.monotonicMs();
    let tries = 0;
    return (removed, domainId) => {
      tries += 1;
      const isOver = tries > GANG_LIMITS.tries || clock.monotonicMs() - startMs > GANG_LIMITS.ms;
      return !isOver && fits(removed, domainId);
    };
  }

  #carryOut({ work, victims, placements, nodes }: Room, round: Round): void {
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
