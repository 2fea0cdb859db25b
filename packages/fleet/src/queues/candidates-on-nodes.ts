import { present } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord } from '../records.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { Evictions, Victim } from '../scheduler/queues/victims.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { withoutHolders } from '../scheduler/why/holder.ts';
import type { PlaceHolds } from './place-holds.ts';
import type { QueueSituation } from './queue-situation.ts';
import type { RunningWork } from './running-work.ts';

/** One look for work that makes room: the queues and what runs, as they are when it begins. */
export interface Round {
  readonly situation: QueueSituation;
  readonly evictions: Evictions;
  /** By unit. */
  readonly running: ReadonlyMap<string, RunningWork>;
}

/** What waits, and who might go for it. */
export interface Tried {
  readonly group: QueuedShape;
  readonly work: WaitingWork;
  readonly candidates: readonly Victim[];
}

export interface CandidatesDeps {
  readonly core: FleetCore;
  readonly holds: PlaceHolds;
  readonly round: Round;
}

/** Of one that might go, in looks. */
const LOOKS_PER_VICTIM = 0.5;

/** Where those who might go stand, and what the nodes would be without some of them. */
export class CandidatesOnNodes {
  readonly #deps: CandidatesDeps;
  readonly #tried: Tried;
  /** By node. */
  readonly victims = new Map<string, Victim[]>();

  private constructor(deps: CandidatesDeps, tried: Tried) {
    this.#deps = deps;
    this.#tried = tried;
  }

  static *find(deps: CandidatesDeps, tried: Tried): Sliced<CandidatesOnNodes> {
    const found = new CandidatesOnNodes(deps, tried);
    yield* sliced(tried.candidates, LOOKS_PER_VICTIM, (victim) => found.#add(victim));
    return found;
  }

  #add(victim: Victim): void {
    for (const { nodeId } of this.#work(victim.unit.id).attempts) {
      const known = this.victims.get(nodeId);
      if (!known) this.victims.set(nodeId, [victim]);
      // Several members of a gang on one node count once.
      else if (known.at(-1) !== victim) known.push(victim);
    }
  }

  /** As the one that waits sees it; undefined if it takes no work. */
  view(nodeId: string): SnapshotNode | undefined {
    const { core, holds } = this.#deps;
    const node = core.nodes.node(nodeId);
    const view = node && core.nodes.view(node);
    return view?.schedulable ? holds.masked(view, this.#tried.work.id) : undefined;
  }

  without(view: SnapshotNode, units: Iterable<string>): SnapshotNode {
    const gone = this.attemptsOf(units, view.id);
    return withoutHolders(
      view,
      gone.map((attempt) => ({ ...attempt, name: attempt.id, graceMs: 0 })),
    );
  }

  /** Those that end with these units. @param nodeId only there. */
  attemptsOf(units: Iterable<string>, nodeId?: string): readonly AttemptRecord[] {
    return Array.from(units).flatMap((id) => {
      const { attempts } = this.#work(id);
      return nodeId === undefined ? attempts : attempts.filter((attempt) => attempt.nodeId === nodeId);
    });
  }

  /** Thousandths of GPUs that a unit holds on a node. */
  milliOn(unitId: string, nodeId: string): number {
    let milli = 0;
    for (const attempt of this.#work(unitId).attempts)
      if (attempt.nodeId === nodeId) milli += attempt.devices.length * (attempt.gpuMilli ?? 1000);
    return milli;
  }

  /** Whether limits let it start once these have gone. */
  isWithinLimits(removed: ReadonlySet<string>): boolean {
    const { core, round } = this.#deps;
    if (core.queues.regime.isPlain) return true;
    const { usage, isPreemptible } = round.situation;
    const { work } = this.#tried;
    const gone = Array.from(removed, (id) => this.#work(id).unit);
    for (const { queue, amounts } of gone) usage.refund(queue, amounts, isPreemptible(queue));
    const stop = usage.stopOf(work.queue, work.amounts, work.preemptible);
    for (const { queue, amounts } of gone) usage.charge(queue, amounts, isPreemptible(queue));
    return stop === undefined;
  }

  #work(unitId: string): RunningWork {
    return present(this.#deps.round.running.get(unitId), 'a unit of the round');
  }
}
