import { present } from '@clawbernetes/kernel';
import { WHOLE_GPU } from '../cluster/demand.ts';
import type { Placement } from '../placement.ts';
import type { PendingShape } from '../plan.ts';
import type { Shape } from '../resources.ts';
import { addTo, Tally, type Amounts, type Dimension } from './amounts.ts';
import { amountsAsked, amountsPlaced, classChoices, limitedTo, type ClassChoice } from './asked-amounts.ts';
import type { FairShares } from './fair-share.ts';
import type { GpuClasses } from './gpu-classes.ts';
import type { GpuModels } from './gpu-models.ts';
import { QueueOrder } from './queue-order.ts';
import type { QueueTree } from './queue-tree.ts';
import type { QueueStop, QueueUsage } from './queue-usage.ts';
import type { WorkBudget } from '../work-budget.ts';
import type { WaitingAmounts } from './waiting-demand.ts';
import type { Worth } from './worth.ts';

/** Workloads of one shape and priority that wait in one queue, oldest first. */
export interface QueuedShape extends PendingShape {
  readonly queue: string;
  readonly priority: number;
  /** Of its oldest. */
  readonly sinceMs: number;
  /** In all, of which `workloadIds` may be the first. */
  readonly waiting: number;
  /** The key of the stops that it has waited for so far. */
  readonly stoppedAt?: string;
}

/** What the queues say at the moment of a plan. */
export interface QueueFacts {
  readonly tree: QueueTree;
  readonly worth: Worth;
  readonly classes: GpuClasses;
  /** Charged while the plan is made; `undo` takes that back. */
  readonly usage: QueueUsage;
  readonly shares: FairShares;
  /** GPU models of the fleet. */
  readonly models: GpuModels;
  readonly isPreemptible: (queue: string) => boolean;
}

/** The workload that is tried next. */
export interface PlanTurn {
  /** Of its group. */
  readonly key: string;
  readonly workloadId: string;
  /** That of its group, or one that may get fewer kinds of GPUs. */
  readonly shape: Shape;
  /** Equal for turns of equal shapes that may go to the same nodes. */
  readonly searchKey: string;
  readonly nodeIds?: ReadonlySet<string>;
}

/** What waits, queue by queue, each in its order. */
export interface WaitingSource {
  queues(): Iterable<string>;
  /**
   * The next of a queue. @param isShut whether what was stopped so is stopped in the same way again, so that
   * it need not be told.
   */
  next(queue: string, isShut: IsShut): QueuedShape | undefined;
}

export type IsShut = (stop: GroupStop) => boolean;

/** The first of its queue that is not through. */
interface Line {
  readonly group: QueuedShape;
  readonly choices: readonly ClassChoice[];
  index: number;
}

/** Why a group waits though nodes may have room. */
export interface GroupStop {
  /** The one to be told. */
  readonly stop: QueueStop;
  /** Only for some of the GPUs that it could get. */
  readonly partly: boolean;
  /** One for each kind of GPUs that it must not get now. */
  readonly all: readonly QueueStop[];
}

/** Of a group that a limit stops, where none did before, or another one; in looks. */
const LOOKS_PER_STOP = 3;

/**
 * Who is next by the queues: which of them by `QueueOrder`, in it by priority and then by age, shape by
 * shape. Nothing starts beyond a limit. What waits for a limit is not overtaken in what is limited: where
 * the first has to wait until enough of it is given back, those behind it wait as well.
 */
export class QueuePlanOrder {
  readonly #facts: QueueFacts;
  readonly #order: QueueOrder;
  readonly #source: WaitingSource;
  /** By queue. */
  readonly #lines = new Map<string, Line>();
  readonly #stops = new Map<string, GroupStop>();
  /** By queue: dimensions of its limit that somebody waits for. */
  readonly #closed = new Map<string, Map<Dimension, QueueStop>>();
  readonly #charged: { readonly queue: string; readonly amounts: Amounts }[] = [];
  #current: { readonly line: Line; readonly stop: GroupStop | undefined } | undefined;

  constructor(facts: QueueFacts, source: WaitingSource) {
    this.#facts = facts;
    this.#order = new QueueOrder(facts);
    this.#source = source;
    for (const queue of source.queues()) this.#goOn(queue);
  }

  /** Groups that a limit keeps from starting, by key. */
  get stops(): ReadonlyMap<string, GroupStop> {
    return this.#stops;
  }

  /** @param work what is stopped anew spends some of it; nobody is next once it is spent. */
  next(work?: WorkBudget): PlanTurn | undefined {
    for (let head = this.#order.next(); head; head = this.#order.next()) {
      const line = present(this.#lines.get(head.queue), 'the head of a queue');
      const turn = this.#turnOf(line, work);
      if (turn) return turn;
      this.#goOn(head.queue);
      if (work?.isSpent === true) return undefined;
    }
    return undefined;
  }

  /** It has a place; what it uses counts at once. */
  placed(placements: readonly Placement[]): void {
    const { line } = present(this.#current, 'a turn');
    for (const placement of placements)
      this.charge(line.group.queue, amountsPlaced(placement, this.#facts.classes));
    this.#step(line);
  }

  /** As if it had been placed, on whatever GPUs it asks for. */
  passed(): void {
    const { line } = present(this.#current, 'a turn');
    this.charge(line.group.queue, askOf(line));
    this.#step(line);
  }

  /** No node can take any more of the group. */
  blocked(): void {
    const { line, stop } = present(this.#current, 'a turn');
    if (stop) this.#stops.set(line.group.key, stop);
    this.#goOn(line.group.queue);
  }

  /** Something begins in the queue while the plan is made. */
  charge(queue: string, amounts: Amounts): void {
    this.#facts.usage.charge(queue, amounts, this.#facts.isPreemptible(queue));
    this.#charged.push({ queue, amounts });
  }

  /** Leaves the usage as it was before the plan. */
  undo(): void {
    for (const { queue, amounts } of this.#charged.splice(0))
      this.#facts.usage.refund(queue, amounts, this.#facts.isPreemptible(queue));
  }

  /** To the next workload of a group. */
  #step(line: Line): void {
    line.index += 1;
    if (line.index < line.group.workloadIds.length) this.#offer(line);
    else this.#goOn(line.group.queue);
  }

  /** To the next group of a queue. */
  #goOn(queue: string): void {
    const { models, classes } = this.#facts;
    let group: QueuedShape | undefined;
    do group = this.#source.next(queue, this.#isShut);
    while (group?.workloadIds.length === 0);
    if (group) {
      const line = { group, choices: classChoices(group.shape, models, classes), index: 0 };
      this.#lines.set(queue, line);
      this.#offer(line);
    } else {
      this.#lines.delete(queue);
      this.#order.offer(queue, undefined);
    }
  }

  #offer(line: Line): void {
    const { key, queue, priority, sinceMs } = line.group;
    const preemptible = this.#facts.isPreemptible(queue);
    const head = { id: key, queue, priority, submittedMs: sinceMs, amounts: askOf(line), preemptible };
    this.#order.offer(queue, head);
  }

  /**
   * What is not overtaken shuts what it waits for, but has its turn itself unless it would fit nowhere else;
   * for the others only amounts tell.
   */
  readonly #isShut = ({ all, partly }: GroupStop): boolean =>
    all.every((stop) => {
      const isClosed = this.#closed.get(stop.queue)?.has(stop.dimension) === true;
      if (isInTurn(stop) && (isClosed || !partly)) return isClosed;
      return this.#facts.usage.isOver(stop);
    });

  /** Undefined if no limit lets it start now. */
  #turnOf(line: Line, work: WorkBudget | undefined): PlanTurn | undefined {
    const { group, choices, index } = line;
    const stops = choices.map((choice) => this.#stopOf(group, choice));
    const allowed = choices.filter((_, at) => stops[at] === undefined);
    const all = stops.filter((one) => one !== undefined);
    const [stop = all[0]] = all.filter(({ never }) => !never);
    if (allowed.length === 0) {
      for (const one of all) this.#close(one);
      const stopped = { stop: present(stop, 'a stop'), partly: false, all };
      this.#stops.set(group.key, stopped);
      // One that waits on where it did is met again in each plan, however often one ends before the others.
      if (keyOfStop(stopped) !== group.stoppedAt) work?.spend(LOOKS_PER_STOP);
      return undefined;
    }
    const shape = limitedTo(group.shape, allowed, choices);
    const isLimited = shape !== group.shape;
    this.#current = { line, stop: isLimited && stop ? { stop, partly: true, all } : undefined };
    const workloadId = present(group.workloadIds[index], 'the next of a group');
    return {
      key: group.key,
      workloadId,
      shape,
      searchKey: isLimited ? `${group.key} of ${shape.gpuModels.join('|')}` : group.key,
      ...(group.nodeIds ? { nodeIds: group.nodeIds } : {}),
    };
  }

  #stopOf({ queue, shape }: QueuedShape, choice: ClassChoice): QueueStop | undefined {
    const { usage, tree, isPreemptible } = this.#facts;
    const asked = amountsAsked(shape, choice);
    const stop = usage.stopOf(queue, asked, isPreemptible(queue));
    if (stop) return stop;
    for (const { name } of tree.leaf(queue).path) {
      const closed = this.#closed.get(name);
      if (!closed) continue;
      for (const [dimension, amount] of asked) {
        const first = amount > 0 ? closed.get(dimension) : undefined;
        if (first) return { ...first, asked: amount };
      }
    }
    return undefined;
  }

  #close(stop: QueueStop): void {
    if (!isInTurn(stop)) return;
    const closed = this.#closed.get(stop.queue) ?? new Map<Dimension, QueueStop>();
    this.#closed.set(stop.queue, closed);
    closed.set(stop.dimension, stop);
  }
}

/** Whether nobody overtakes it there. */
function isInTurn({ rule, never }: QueueStop): boolean {
  return rule === 'limit' && !never;
}

/** Equal for groups of which all are stopped again where one is. */
export function keyOfStop({ stop: told, all, partly }: GroupStop): string {
  if (told.never && !partly) return 'never';
  const keys = all.map((stop) => {
    const { queue, rule, dimension, asked } = stop;
    return isInTurn(stop) && !partly ? `${queue} ${dimension}` : `${queue} ${rule} ${dimension} ${asked}`;
  });
  return `${partly ? 'partly ' : ''}${keys.join('|')}`;
}

function askOf({ group, choices }: Line): Amounts {
  return amountsAsked(group.shape, present(choices[0], 'a class that it may get'));
}

/** Higher priority first, then the older. */
export function compareInQueue(
  one: Pick<QueuedShape, 'priority' | 'sinceMs'>,
  other: Pick<QueuedShape, 'priority' | 'sinceMs'>,
): number {
  return other.priority - one.priority || one.sinceMs - other.sinceMs;
}

/** What runs and what waits, by queue without children. */
export function demandOf(
  { tree, usage, classes, models }: Omit<QueueFacts, 'shares' | 'worth' | 'isPreemptible'>,
  asking: Iterable<WaitingAmounts>,
): ReadonlyMap<string, Amounts> {
  const waiting = new Tally();
  for (const asked of asking) {
    const sum = asOneShape(asked);
    const [choice] = classChoices(sum, models, classes);
    waiting.add(asked.queue, amountsAsked(sum, present(choice, 'a class')), 1);
  }
  const demand = new Map<string, Amounts>();
  for (const { name, children } of tree.parentsFirst) {
    if (children.length > 0) continue;
    const sum = new Map<Dimension, number>(usage.used(name));
    addTo(sum, waiting.of(name), 1);
    demand.set(name, sum);
  }
  return demand;
}

/** One that asks for all of it. */
function asOneShape({
  queue: _queue,
  count: _count,
  gpuMilli,
  ...sum
}: WaitingAmounts): Parameters<typeof classChoices>[0] & Parameters<typeof amountsAsked>[0] {
  if (sum.migProfile !== undefined) return { ...sum, gpus: gpuMilli / WHOLE_GPU };
  return { ...sum, gpus: gpuMilli > 0 ? 1 : 0, gpuMilli };
}
