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

interface Line {
  readonly group: QueuedShape;
  readonly choices: readonly ClassChoice[];
  index: number;
  isDone: boolean;
}

/** Of one queue, in their order; those before `head` are through. */
interface Lines {
  readonly all: Line[];
  head: number;
}

/** Why a group waits though nodes may have room; `partly` = only for some of the GPUs that it could get. */
export interface GroupStop {
  readonly stop: QueueStop;
  readonly partly: boolean;
}

/**
 * Who is next by the queues: which of them by `QueueOrder`, in it by priority and then by age, shape by
 * shape. Nothing starts beyond a limit. What waits for a limit is not overtaken in what is limited: where
 * the first has to wait until enough of it is given back, those behind it wait as well.
 */
export class QueuePlanOrder {
  readonly #facts: QueueFacts;
  readonly #order: QueueOrder;
  readonly #lines = new Map<string, Lines>();
  readonly #stops = new Map<string, GroupStop>();
  /** By queue: dimensions of its limit that somebody waits for. */
  readonly #closed = new Map<string, Map<Dimension, QueueStop>>();
  readonly #charged: { readonly queue: string; readonly amounts: Amounts }[] = [];
  #current: { readonly line: Line; readonly stop: QueueStop | undefined } | undefined;

  constructor(facts: QueueFacts, groups: readonly QueuedShape[]) {
    this.#facts = facts;
    this.#order = new QueueOrder(facts);
    for (const group of groups.toSorted(compareInQueue)) {
      const choices = classChoices(group.shape, facts.models, facts.classes);
      const lines = this.#lines.get(group.queue) ?? { all: [], head: 0 };
      this.#lines.set(group.queue, lines);
      lines.all.push({ group, choices, index: 0, isDone: false });
    }
    for (const queue of this.#lines.keys()) this.#offer(queue);
  }

  /** Groups that a limit keeps from starting, by key. */
  get stops(): ReadonlyMap<string, GroupStop> {
    return this.#stops;
  }

  next(): PlanTurn | undefined {
    for (let work = this.#order.next(); work; work = this.#order.next()) {
      const line = present(this.#headOf(work.queue), 'the head of a queue');
      const turn = this.#turnOf(line);
      if (turn) return turn;
      line.isDone = true;
      this.#offer(work.queue);
    }
    return undefined;
  }

  /** It has a place; what it uses counts at once. */
  placed(placements: readonly Placement[]): void {
    const { line } = present(this.#current, 'a turn');
    for (const placement of placements)
      this.charge(line.group.queue, amountsPlaced(placement, this.#facts.classes));
    line.index += 1;
    this.#offer(line.group.queue);
  }

  /** As if it had been placed, on whatever GPUs it asks for. */
  passed(): void {
    const { line } = present(this.#current, 'a turn');
    this.charge(line.group.queue, askOf(line));
    line.index += 1;
    this.#offer(line.group.queue);
  }

  /** No node can take any more of the group. */
  blocked(): void {
    const { line, stop } = present(this.#current, 'a turn');
    line.isDone = true;
    if (stop) this.#stops.set(line.group.key, { stop, partly: true });
    this.#offer(line.group.queue);
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

  #headOf(queue: string): Line | undefined {
    const lines = this.#lines.get(queue);
    if (!lines) return undefined;
    for (let line = lines.all[lines.head]; line && !isOpen(line); line = lines.all[lines.head])
      lines.head += 1;
    return lines.all[lines.head];
  }

  #offer(queue: string): void {
    const line = this.#headOf(queue);
    const { group } = line ?? {};
    this.#order.offer(
      queue,
      line && group
        ? {
            id: group.key,
            queue,
            priority: group.priority,
            submittedMs: group.sinceMs,
            amounts: askOf(line),
            preemptible: this.#facts.isPreemptible(queue),
          }
        : undefined,
    );
  }

  /** Undefined if no limit lets it start now. */
  #turnOf(line: Line): PlanTurn | undefined {
    const { group, choices, index } = line;
    const stops = choices.map((choice) => this.#stopOf(group, choice));
    const allowed = choices.filter((_, at) => stops[at] === undefined);
    const stop = stops.find((one) => one?.never === false) ?? stops.find((one) => one !== undefined);
    if (allowed.length === 0) {
      for (const one of stops) if (one) this.#close(one);
      if (stop) this.#stops.set(group.key, { stop, partly: false });
      return undefined;
    }
    const shape = limitedTo(group.shape, allowed, choices);
    const isLimited = shape !== group.shape;
    this.#current = { line, stop: isLimited ? stop : undefined };
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
    if (stop.never || stop.rule !== 'limit') return;
    const closed = this.#closed.get(stop.queue) ?? new Map<Dimension, QueueStop>();
    this.#closed.set(stop.queue, closed);
    closed.set(stop.dimension, stop);
  }
}

function isOpen({ group, index, isDone }: Line): boolean {
  return !isDone && index < group.workloadIds.length;
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
