import { amountOf, NOTHING, sameAmounts, type Amounts } from './amounts.ts';
import type { FairShares } from './fair-share.ts';
import { atOnce, sliced, type Sliced } from '../slices.ts';
import { byRank, ownWork, type OwnWork } from './own-work.ts';
import type { Meeting, Queue, QueueTree } from './queue-tree.ts';
import type { QueueUsage } from './queue-usage.ts';
import { evictionGpuHours, type Reclaim, type RunningUnit, type Standing } from './running-unit.ts';
import type { WaitingWork } from './workload-order.ts';
import type { Worth } from './worth.ts';

/** What keeps work from being evicted again and again. */
export interface ThrashGuards {
  /** A unit runs at least this long, if it does not say itself. */
  readonly minRuntimeMs: number;
  /** After a preemption its workload is left alone for this long, waiting included. */
  readonly coolDownMs: number;
  /** After so many, only an owner who claims his guarantee may evict it once more. */
  readonly maxPreemptions: number;
}

export const DEFAULT_THRASH_GUARDS: ThrashGuards = {
  minRuntimeMs: 5 * 60_000,
  coolDownMs: 15 * 60_000,
  maxPreemptions: 3,
};

export interface EvictionInput {
  readonly tree: QueueTree;
  readonly worth: Worth;
  readonly usage: QueueUsage;
  readonly shares: FairShares;
  /** By queue, inner ones included; what the shares were computed from. */
  readonly demand: ReadonlyMap<string, Amounts>;
  readonly units: readonly RunningUnit[];
  readonly guards: ThrashGuards;
  readonly nowMs: number;
}

/** Why a unit may be evicted. */
export type EvictionGround = 'priority' | 'guarantee' | 'share';

export type EvictionRefusal =
  /** It is part of the workload that asks. */
  | 'itself'
  | 'not-preemptible'
  /** In the same queue, and not of lower priority. */
  | 'priority'
  /** Whoever asks would be over its own fair share. */
  | 'no-claim'
  /** It runs within its queue's guarantee, or within its fair share where only that is claimed. */
  | 'own-work'
  /** It took the place of work of the queue that asks, and nothing has changed since. */
  | 'would-invert'
  | 'min-runtime'
  | 'cool-down'
  | 'preemption-cap'
  /** It may go, but what its workload has grown to beyond it may not. */
  | 'surplus-protected';

export type Verdict =
  | { readonly evictable: true; readonly ground: EvictionGround }
  | { readonly evictable: false; readonly because: EvictionRefusal };

export interface Victim {
  readonly unit: RunningUnit;
  readonly ground: EvictionGround;
  /** What its eviction throws away. */
  readonly gpuHours: number;
}

/** Of one unit, in looks. */
const LOOKS_PER_VERDICT = 0.5;

/**
 * Who may be evicted for whom. Within a queue: what has strictly lower priority. Between queues: borrowed
 * work only, and only for a queue that stays within its guarantee, or within its fair share, where the paths
 * of the two meet. See the section "Queues" of the README for the invariants.
 */
export class Evictions {
  readonly #input: EvictionInput;
  /** Found before the first claim between queues is judged: most rounds need none. */
  #own: { readonly ofGuarantee: OwnWork; readonly ofShare: OwnWork } | undefined;
  readonly #claims = new WeakMap<WaitingWork, Map<Queue, EvictionGround | undefined>>();
  readonly #surplus: ReadonlyMap<string, readonly RunningUnit[]>;

  constructor(input: EvictionInput) {
    this.#input = input;
    const { units } = input;
    this.#surplus = Map.groupBy(
      units.filter(({ part }) => part === 'surplus'),
      ({ workloadId }) => workloadId,
    );
  }

  /** All that may be evicted for it, in the order of the units. */
  victimsFor(work: WaitingWork): readonly Victim[] {
    return atOnce(this.victims(work));
  }

  /** The same in pieces. */
  *victims(work: WaitingWork): Sliced<readonly Victim[]> {
    const { units, worth, nowMs } = this.#input;
    yield* this.prepare(work);
    const found: Victim[] = [];
    yield* sliced(units, LOOKS_PER_VERDICT, (unit) => {
      const verdict = this.judge(work, unit);
      if (!verdict.evictable) return;
      found.push({ unit, ground: verdict.ground, gpuHours: evictionGpuHours(unit, worth, nowMs) });
    });
    return found;
  }

  /** Finds in pieces what units are judged by, which `judge` else does at once. */
  *prepare(work: WaitingWork): Sliced<void> {
    if (this.#input.tree.parentsFirst.length > 1 && this.hasClaim(work)) yield* this.#findOwn();
  }

  judge(work: WaitingWork, unit: RunningUnit): Verdict {
    const verdict = this.#judgeAlone(work, unit);
    if (!verdict.evictable || unit.part === 'surplus') return verdict;
    const surplus = this.#surplus.get(unit.workloadId) ?? [];
    const together = surplus.every((member) => this.#judgeAlone(work, member).evictable);
    return together ? verdict : refused('surplus-protected');
  }

  /** What is to be remembered of work that is started in place of others: they may not turn that around. */
  reclaimsBy(work: WaitingWork, victims: readonly RunningUnit[]): readonly Reclaim[] {
    const reclaims = new Map<string, Reclaim>();
    for (const { queue } of victims) {
      const meeting = this.#input.tree.meeting(work.queue, queue);
      if (!meeting) continue;
      const before = { theirs: this.#standing(meeting.theirs), ours: this.#standing(meeting.ours) };
      reclaims.set(meeting.theirs.name, { from: meeting.theirs.name, before });
    }
    return [...reclaims.values()];
  }

  #judgeAlone(work: WaitingWork, unit: RunningUnit): Verdict {
    if (unit.workloadId === work.id) return refused('itself');
    if (!unit.preemptible) return refused('not-preemptible');
    const meeting = this.#input.tree.meeting(work.queue, unit.queue);
    const verdict = meeting ? this.#reclaim(work, unit, meeting) : preempt(work, unit);
    if (!verdict.evictable) return verdict;
    const guard = this.#guardOf(unit, verdict.ground);
    return guard ? refused(guard) : verdict;
  }

  #reclaim(work: WaitingWork, unit: RunningUnit, meeting: Meeting): Verdict {
    const ground = this.#claimOf(work, meeting.ours);
    if (!ground) return refused('no-claim');
    const { ofGuarantee, ofShare } = (this.#own ??= atOnce(this.#findOwn()));
    if (isOwn(ofGuarantee, unit, meeting.theirs)) return refused('own-work');
    if (ground === 'share' && isOwn(ofShare, unit, meeting.theirs)) return refused('own-work');
    if (this.#inverts(unit, meeting, ground)) return refused('would-invert');
    return { evictable: true, ground };
  }

  *#findOwn(): Sliced<{ readonly ofGuarantee: OwnWork; readonly ofShare: OwnWork }> {
    if (this.#own) return this.#own;
    const { units, shares } = this.#input;
    const ranked = yield* byRank(units);
    this.#own = {
      ofGuarantee: yield* ownWork(this.#input, ranked, ({ guaranteed }) => guaranteed),
      ofShare: yield* ownWork(this.#input, ranked, ({ name }) => shares.get(name) ?? NOTHING),
    };
    return this.#own;
  }

  /** Whether it may take back anything at all from other queues. */
  hasClaim(work: WaitingWork): boolean {
    return this.#input.tree.leaf(work.queue).path.some((ours) => this.#claimOf(work, ours) !== undefined);
  }

  /** On what ground it may take back from the siblings of a queue on its path; undefined = it may not. */
  groundOf(work: WaitingWork, ours: Queue): EvictionGround | undefined {
    return this.#claimOf(work, ours);
  }

  #claimOf(work: WaitingWork, ours: Queue): EvictionGround | undefined {
    const known = this.#claims.get(work) ?? new Map<Queue, EvictionGround | undefined>();
    this.#claims.set(work, known);
    if (!known.has(ours)) known.set(ours, this.#claim(work, ours));
    return known.get(ours);
  }

  /** On what ground the queue may take back from its siblings; work that needs nothing governed has none. */
  #claim(work: WaitingWork, ours: Queue): EvictionGround | undefined {
    const { tree, worth, usage, shares } = this.#input;
    if (worth.governed(work.amounts).size === 0) return undefined;
    if (worth.within(work.amounts, usage.used(ours.name), ours.guaranteed)) return 'guarantee';
    const { path } = tree.leaf(work.queue);
    const entitled = path
      .slice(0, path.indexOf(ours) + 1)
      .every(({ name }) => worth.within(work.amounts, usage.used(name), shares.get(name) ?? NOTHING));
    return entitled ? 'share' : undefined;
  }

  /**
   * The unit was started in place of work of our side, and since then our share has not grown and theirs has
   * not shrunk. A guarantee is stronger: it yields only while nobody's demand has changed either.
   */
  #inverts(unit: RunningUnit, { ours, theirs }: Meeting, ground: EvictionGround): boolean {
    const reclaim = unit.reclaims?.find(({ from }) => from === ours.name);
    if (!reclaim) return false;
    const now = { ours: this.#standing(ours), theirs: this.#standing(theirs) };
    // What is "ours" to the one that asks now was "theirs" to the one that won then.
    const { theirs: ourBefore, ours: theirBefore } = reclaim.before;
    if (this.#grew(unit, ourBefore.share, now.ours.share)) return false;
    if (this.#grew(unit, now.theirs.share, theirBefore.share)) return false;
    const sameDemand =
      sameAmounts(ourBefore.demand, now.ours.demand) && sameAmounts(theirBefore.demand, now.theirs.demand);
    return ground === 'share' || sameDemand;
  }

  #grew(unit: RunningUnit, before: Amounts, after: Amounts): boolean {
    return this.#input.worth
      .governed(unit.amounts)
      .keys()
      .some((dimension) => amountOf(after, dimension) > amountOf(before, dimension));
  }

  /** Copies: what is remembered must not move with the running sums. */
  #standing({ name }: Queue): Standing {
    const { shares, demand } = this.#input;
    return { share: new Map(shares.get(name)), demand: new Map(demand.get(name)) };
  }

  #guardOf(unit: RunningUnit, ground: EvictionGround): EvictionRefusal | undefined {
    const { guards, nowMs } = this.#input;
    if (nowMs - unit.startedMs < (unit.minRuntimeMs ?? guards.minRuntimeMs)) return 'min-runtime';
    if (nowMs - (unit.lastPreemptedMs ?? -Infinity) < guards.coolDownMs) return 'cool-down';
    if (unit.preemptions >= guards.maxPreemptions && ground !== 'guarantee') return 'preemption-cap';
    return undefined;
  }
}

function preempt(work: WaitingWork, unit: RunningUnit): Verdict {
  return unit.priority < work.priority ? { evictable: true, ground: 'priority' } : refused('priority');
}

/** It has a place in an entitlement below the queue where the paths meet, or in that queue's own. */
function isOwn(owners: OwnWork, unit: RunningUnit, theirs: Queue): boolean {
  return owners.get(unit.id)?.path.includes(theirs) ?? false;
}

function refused(because: EvictionRefusal): Verdict {
  return { evictable: false, because };
}
