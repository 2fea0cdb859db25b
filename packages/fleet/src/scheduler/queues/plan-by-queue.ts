import { Candidates } from '../candidates.ts';
import { Draft } from '../draft.ts';
import type { FleetTopology } from '../gang/fleet-topology.ts';
import { isGang } from '../gang/member-shape.ts';
import { looksOfGang, placeGang } from '../gang/place-gang.ts';
import type { NodeGroups } from '../node-groups.ts';
import type { Placement } from '../placement.ts';
import type { Plan } from '../plan.ts';
import type { FleetPacking } from '../score/fleet-packing.ts';
import type { Sliced } from '../slices.ts';
import { WorkBudget } from '../work-budget.ts';
import type { GroupStop, PlanTurn, QueuePlanOrder } from './queue-plan-order.ts';

/** Of what is stopped one after the other. */
const LOOKS_PER_PIECE = 200;

export interface QueuePlanInput {
  readonly groups: NodeGroups;
  readonly order: QueuePlanOrder;
  readonly packing: FleetPacking;
  readonly topology: FleetTopology;
  /** Ends the plan once it is spent. */
  readonly work?: WorkBudget;
}

export interface QueuePlan extends Plan {
  /** Groups that a limit keeps from starting, by key. */
  readonly stops: ReadonlyMap<string, GroupStop>;
}

/**
 * Places what fits in the order of the queues, each workload on the node where it costs the others least. A
 * group that fails once is not tried again in this plan, and at most `limit` placements are made. The usage
 * that the order was made with is afterwards as before.
 */
export function planByQueue(input: QueuePlanInput, limit: number): QueuePlan {
  const { order, work } = input;
  const plan = new PlanSoFar(input);
  while (plan.placements.length < limit) {
    const turn = work?.isSpent === true ? undefined : order.next(work);
    if (!turn) break;
    const looks = plan.place(turn);
    work?.spend(looks);
  }
  return plan.end();
}

/** The same in pieces, on nodes and usage that nobody changes meanwhile. */
export function* planningByQueue(input: Omit<QueuePlanInput, 'work'>, limit: number): Sliced<QueuePlan> {
  const plan = new PlanSoFar(input);
  while (plan.placements.length < limit) {
    const piece = new WorkBudget(LOOKS_PER_PIECE);
    const turn = input.order.next(piece);
    if (turn) yield plan.place(turn);
    else if (piece.isSpent) yield LOOKS_PER_PIECE;
    else break;
  }
  return plan.end();
}

class PlanSoFar {
  readonly placements: Placement[] = [];
  readonly #blocked: string[] = [];
  readonly #input: Omit<QueuePlanInput, 'work'>;
  readonly #draft: Draft;
  readonly #searches = new Map<string, Candidates>();

  constructor(input: Omit<QueuePlanInput, 'work'>) {
    this.#input = input;
    this.#draft = new Draft(input.groups);
  }

  /** The one whose turn it is, if it fits; answers what that took, in looks. */
  place(turn: PlanTurn): number {
    const { workloadId, shape } = turn;
    const { topology } = this.#input;
    if (isGang(shape)) {
      this.#note(turn, placeGang(this.#draft, topology, { workloadId, shape }) ?? []);
      return looksOfGang(topology);
    }
    const candidates = this.#candidatesFor(turn);
    const before = candidates.looks;
    const placement = candidates.place(workloadId);
    this.#note(turn, placement ? [placement] : []);
    return 1 + candidates.looks - before;
  }

  end(): QueuePlan {
    const { order } = this.#input;
    order.undo();
    return { placements: this.placements, blocked: this.#blocked, stops: order.stops };
  }

  #candidatesFor({ searchKey, shape, nodeIds }: PlanTurn): Candidates {
    const known = this.#searches.get(searchKey);
    if (known) return known;
    const candidates = new Candidates(this.#draft, shape, this.#input.packing, nodeIds);
    this.#searches.set(searchKey, candidates);
    return candidates;
  }

  #note({ key }: PlanTurn, placed: readonly Placement[]): void {
    const { order } = this.#input;
    if (placed.length > 0) {
      this.placements.push(...placed);
      order.placed(placed);
    } else {
      this.#blocked.push(key);
      order.blocked();
    }
  }
}
