import type { FleetCore } from '../fleet-core.ts';
import { deviceOf } from '../node/instance-condition.ts';
import type { AttemptRecord } from '../records.ts';
import type { Amounts } from '../scheduler/queues/amounts.ts';
import { QueueUsage } from '../scheduler/queues/queue-usage.ts';
import { UsageHistory } from '../scheduler/queues/usage-history.ts';
import { isEnded } from '../workload/lifecycle.ts';
import { amountsHeld } from '../scheduler/queues/asked-amounts.ts';
import { ChargeList } from './charge-list.ts';
import type { QueueRegime } from './queue-regime.ts';

/** What a live attempt counts in its queue. */
export interface Charge {
  readonly queue: string;
  readonly priority: number;
  readonly amounts: Amounts;
  readonly preemptible: boolean;
  /** It has a time limit. */
  readonly isLimited: boolean;
  readonly nodeId: string;
}

/** What is used is looked at so often for its history, ms. */
const ADVANCE_MS = 1000;

export type AccountsDeps = Pick<FleetCore, 'clock' | 'workloads' | 'nodes' | 'queues' | 'options'>;

/**
 * What runs in each queue: every live attempt is charged once, and given back when its end is proven.
 * Rebuilt when somebody edits a queue; kept up with attempts in between.
 */
export class QueueAccounts {
  readonly #deps: AccountsDeps;
  readonly #charges = new Map<string, Charge>();
  /** Live attempts by queue and priority. */
  readonly #running = new Map<string, Map<number, number>>();
  /** By queue: how many attempts have begun and ended in it. */
  readonly #moves = new Map<string, number>();
  #isEdited = false;
  #limited = 0;
  /** Nodes with live attempts that have a time limit: how many. */
  readonly #limitedOn = new Map<string, number>();
  #advancedMs = -Infinity;
  #regime: QueueRegime;
  #usage: QueueUsage;
  #history: UsageHistory;

  constructor(deps: AccountsDeps) {
    this.#deps = deps;
    this.#regime = deps.queues.regime;
    this.#usage = new QueueUsage(this.#regime.tree, this.#regime.worth);
    this.#history = this.#newHistory(0);
  }

  get usage(): QueueUsage {
    return this.#usage;
  }

  get history(): UsageHistory {
    return this.#history;
  }

  /** Live attempts that have a time limit. */
  get limited(): number {
    return this.#limited;
  }

  /** Of all live attempts, as of now. */
  charges(): ChargeList {
    return new ChargeList([...this.#charges.keys()], [...this.#charges.values()]);
  }

  /** By queue, as of now, how many attempts have begun and ended in it: what differs has changed since. */
  moves(): ReadonlyMap<string, number> {
    return new Map(this.#moves);
  }

  /** Nodes where a time limit says when something ends; those behind `after` first, then the others. */
  limitedNodes(after: string | undefined): readonly string[] {
    const ids = [...this.#limitedOn.keys()];
    const at = after === undefined ? 0 : ids.indexOf(after) + 1;
    return [...ids.slice(at), ...ids.slice(0, at)];
  }

  /** Live attempts of a queue without children. */
  runningIn(queue: string): number {
    let sum = 0;
    for (const count of this.#running.get(queue)?.values() ?? []) sum += count;
    return sum;
  }

  /** Whether anything of lower priority runs in the queue. */
  runsBelow(queue: string, priority: number): boolean {
    return (
      this.#running
        .get(queue)
        ?.keys()
        .some((one) => one < priority) ?? false
    );
  }

  /** An attempt has begun or changed. */
  follow(attempt: AttemptRecord): void {
    const charged = this.#charges.get(attempt.id);
    if (isEnded(attempt.state)) {
      if (charged) this.#giveBack(attempt.id, charged);
    } else if (!charged) this.#take(attempt);
  }

  /** The queues were edited, or all was read back from the store. */
  rebuild(): void {
    const { queues, nodes, workloads, clock } = this.#deps;
    this.#advance();
    const before = this.#history;
    this.#regime = queues.regime;
    this.#usage = new QueueUsage(this.#regime.tree, this.#regime.worth);
    this.#isEdited = true;
    this.#charges.clear();
    this.#running.clear();
    this.#limited = 0;
    this.#limitedOn.clear();
    for (const { id } of nodes.nodes()) for (const attempt of workloads.liveOn(id)) this.#take(attempt);
    this.#history = this.#newHistory(clock.nowMs());
    for (const { name } of this.#regime.tree.parentsFirst) this.#history.begin(name, before.mean(name));
  }

  /** Takes account of the time since the last call. */
  advance(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#regime.isPlain || nowMs - this.#advancedMs < ADVANCE_MS) return;
    this.#advancedMs = nowMs;
    this.#advance();
  }

  /** Whether the queues were edited since this was asked last: what waited for a limit may start. */
  takeEdited(): boolean {
    const isEdited = this.#isEdited;
    this.#isEdited = false;
    return isEdited;
  }

  /** After a start: what attempts that are still known used, as if it had been followed all the time. */
  recall(): void {
    const { workloads, clock, options } = this.#deps;
    const nowMs = clock.nowMs();
    const means = new Map<string, number>();
    for (const { id } of workloads.workloads())
      for (const attempt of workloads.attemptsOf(id)) {
        const charge = this.#chargeOf(attempt);
        const worth = this.#regime.worth.of(charge.amounts);
        const part = this.#part(attempt, nowMs, options.queues.halfLifeMs);
        for (const { name } of this.#regime.tree.leaf(charge.queue).path)
          means.set(name, (means.get(name) ?? 0) + worth * part);
      }
    this.#history = this.#newHistory(nowMs);
    for (const [queue, mean] of means) this.#history.begin(queue, mean);
  }

  /** Of all time before, weighed by how long ago it was, the part in which it ran. */
  #part({ placedAtMs, finishedAtMs }: AttemptRecord, nowMs: number, halfLifeMs: number): number {
    const weight = (atMs: number): number => 0.5 ** (Math.max(0, nowMs - atMs) / halfLifeMs);
    return Math.max(0, weight(Math.min(finishedAtMs ?? nowMs, nowMs)) - weight(placedAtMs));
  }

  #take(attempt: AttemptRecord): void {
    const charge = this.#chargeOf(attempt);
    this.#charges.set(attempt.id, charge);
    this.#count(charge, 1);
    if (!this.#regime.isPlain) this.#usage.charge(charge.queue, charge.amounts, charge.preemptible);
  }

  #giveBack(attemptId: string, charge: Charge): void {
    this.#charges.delete(attemptId);
    this.#count(charge, -1);
    if (!this.#regime.isPlain) this.#usage.refund(charge.queue, charge.amounts, charge.preemptible);
  }

  #count({ queue, priority, isLimited, nodeId }: Charge, change: 1 | -1): void {
    this.#moves.set(queue, (this.#moves.get(queue) ?? 0) + 1);
    if (isLimited) {
      this.#limited += change;
      add(this.#limitedOn, nodeId, change);
    }
    const counts = this.#running.get(queue) ?? new Map<number, number>();
    this.#running.set(queue, counts);
    add(counts, priority, change);
  }

  #chargeOf(attempt: AttemptRecord): Charge {
    const workload = this.#deps.workloads.workload(attempt.workloadId);
    const queue = this.#regime.queueOf({ queue: workload?.spec.queue });
    return {
      queue,
      priority: workload ? priorityOf(workload) : 0,
      amounts: this.#amountsOf(attempt),
      isLimited: workload?.spec.timeoutMs !== undefined,
      nodeId: attempt.nodeId,
      // As it was admitted: whether it can be made to go in fact is another question.
      preemptible: this.#regime.isPreemptible(queue),
    };
  }

  #amountsOf(attempt: AttemptRecord): Amounts {
    const { classes } = this.#regime;
    const node = classes.isOne ? undefined : this.#deps.nodes.node(attempt.nodeId);
    const gpus = attempt.devices.map((id, at) => ({
      model: (node && deviceOf(node, id))?.model ?? '',
      migMilli: attempt.migMilli?.[at],
    }));
    return amountsHeld(attempt, gpus, classes);
  }

  #advance(): void {
    const { tree, worth } = this.#regime;
    const used = new Map(tree.parentsFirst.map(({ name }) => [name, worth.of(this.#usage.used(name))]));
    this.#history.advance(this.#deps.clock.nowMs(), used);
  }

  #newHistory(startMs: number): UsageHistory {
    return new UsageHistory({ halfLifeMs: this.#deps.options.queues.halfLifeMs, startMs });
  }
}

function add<Key>(counts: Map<Key, number>, key: Key, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

/** Higher goes first; what the queue said when it was submitted, unless it says so itself. */
export function priorityOf({
  spec,
  priority = 0,
}: {
  readonly spec: { readonly priority?: number | undefined };
  readonly priority?: number;
}): number {
  return spec.priority ?? priority;
}
