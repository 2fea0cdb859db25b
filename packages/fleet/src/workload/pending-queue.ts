import { DEFAULT_QUEUE, type WorkloadSpec } from '@clawbernetes/protocol';
import { priorityOf } from '../queues/queue-accounts.ts';
import { compareInQueue, type GroupStop, type QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { shapeKey, shapeOf, type Shape } from '../scheduler/resources.ts';
import type { PendingShape } from '../scheduler/plan.ts';
import type { WorkloadRecord } from '../records.ts';
import { WaitingLine } from './waiting-line.ts';

interface Group {
  readonly key: string;
  readonly shape: Shape;
  readonly queue: string;
  readonly priority: number;
  readonly workloads: WaitingLine;
  /** A limit that keeps it from starting. */
  stop?: GroupStop;
}

/** As if a node had changed, so that blocked shapes are among those worth trying. */
const EVERY_SHAPE: ReadonlySet<string> = new Set(['']);

/** What tells whether to look closer. */
export interface GroupGlance {
  readonly queue: string;
  /** It fits nowhere at present. */
  readonly isBlocked: boolean;
  readonly shape: (limit: number) => QueuedShape;
}

/**
 * Workloads that wait for a place, grouped by queue, priority and shape: one that fits nowhere answers for
 * all its twins.
 */
export class PendingQueue {
  readonly #queueOf: (spec: WorkloadSpec) => string;
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<string, Group>();
  /** Not known to fit nowhere: a group leaves when it is blocked. */
  readonly #open = new Set<Group>();
  /** Those that wait for a limit alone. */
  readonly #stopped = new Set<Group>();
  #arrivals: Shape[] = [];
  /** Queues at whose limit somebody waited who does so no more. */
  #eased = new Set<string>();

  constructor(queueOf: (spec: WorkloadSpec) => string = ({ queue = DEFAULT_QUEUE }) => queue) {
    this.#queueOf = queueOf;
  }

  get size(): number {
    return this.#groupOf.size;
  }

  /** Whether there are shapes that may fit somewhere, for all that is known. */
  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  add(workload: WorkloadRecord, shape: Shape = shapeOf(workload.spec, workload.nodeId)): void {
    const group = this.#group(shape, this.#queueOf(workload.spec), priorityOf(workload));
    group.workloads.add(workload);
    this.#groupOf.set(workload.id, group);
    // What begins anew is no new demand.
    if (!workload.anew) this.#arrivals.push(group.shape);
  }

  /** Of all that were added since this was asked last. */
  takeArrivals(): readonly Shape[] {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    return arrivals;
  }

  remove(workloadId: string): void {
    const group = this.#groupOf.get(workloadId);
    this.#groupOf.delete(workloadId);
    if (!group) return;
    group.workloads.delete(workloadId);
    // Whoever waits behind it for the same limit may go on.
    if (group.stop) this.#eased.add(group.stop.stop.queue);
    if (group.workloads.size > 0) return;
    this.#groups.delete(group.key);
    this.#open.delete(group);
    this.#stopped.delete(group);
  }

  /**
   * The shapes worth trying, those of higher priority and then the one that has waited longest first, with at
   * most `limit` workloads of each: open ones anywhere, blocked ones only on nodes that have `changed`.
   */
  pending(limit: number, changed: ReadonlySet<string>): readonly QueuedShape[] {
    const found: QueuedShape[] = [];
    for (const group of changed.size > 0 ? this.#groups.values() : this.#open.values()) {
      if (group.stop?.partly === false) continue;
      const nodeIds = this.#open.has(group) ? {} : { nodeIds: changed };
      found.push({ ...queuedShape(group, limit), ...nodeIds });
    }
    // What waits for a limit keeps its turn there: those behind it wait as well.
    for (const group of this.#stopped) if (!group.stop?.stop.never) found.push(queuedShape(group, limit));
    return found.toSorted(compareInQueue);
  }

  /** All groups that no limit keeps waiting, for whoever looks for some of them. */
  *unstopped(): Generator<GroupGlance, void, undefined> {
    for (const group of this.#groups.values()) {
      if (group.stop?.partly === false) continue;
      const shape = (limit: number): QueuedShape => queuedShape(group, limit);
      yield { queue: group.queue, isBlocked: !this.#open.has(group), shape };
    }
  }

  /** What waits for a limit under which it could start: it is not overtaken there. */
  atLimit(): readonly QueuedShape[] {
    const groups = Array.from(this.#stopped).filter(({ stop }) => !stop?.stop.never);
    return groups.map((group) => queuedShape(group, 1));
  }

  /** All groups, with at most `limit` workloads of each. */
  queued(limit = 0): readonly QueuedShape[] {
    return Array.from(this.#groups.values(), (group) => queuedShape(group, limit));
  }

  /**
   * Groups that fit nowhere at present and whose first workload is wanted, with at most `limit` of each.
   */
  blockedShapes(
    limit: number,
    isWanted: (first: WorkloadRecord) => boolean = () => true,
  ): readonly QueuedShape[] {
    return this.#closedShapes(limit, ({ stop, workloads }) => {
      const { first } = workloads;
      return stop?.partly !== false && first !== undefined && isWanted(first);
    });
  }

  /** The first so many of those groups, with one workload of each: told without putting all into order. */
  firstBlocked(count: number): readonly QueuedShape[] {
    let first: QueuedShape[] = [];
    for (const group of this.#groups.values()) {
      if (this.#open.has(group) || group.stop?.partly === false) continue;
      const last = first[count - 1];
      const standing = { priority: group.priority, sinceMs: group.workloads.first?.submittedAtMs ?? 0 };
      if (last && compareInQueue(last, standing) <= 0) continue;
      first = [...first, queuedShape(group, 1)].toSorted(compareInQueue).slice(0, count);
    }
    return first;
  }

  /** Those, and groups that wait for a limit under which they could start. */
  waitingShapes(limit: number): readonly QueuedShape[] {
    return this.#closedShapes(limit, ({ stop }) => stop?.stop.never !== true);
  }

  /** Workloads of a queue without children. */
  waitingIn(queue: string): number {
    let count = 0;
    for (const group of this.#groups.values()) if (group.queue === queue) count += group.workloads.size;
    return count;
  }

  get hasBlocked(): boolean {
    return this.#open.size < this.#groups.size;
  }

  /** Whether there is a group that waits and might take the place of something. */
  mayPreempt(test: (queue: string, priority: number) => boolean): boolean {
    for (const group of this.#groups.values())
      if (!this.#open.has(group) && test(group.queue, group.priority)) return true;
    return false;
  }

  #closedShapes(limit: number, isWanted: (group: Group) => boolean): readonly QueuedShape[] {
    const found: QueuedShape[] = [];
    for (const group of this.#groups.values())
      if (!this.#open.has(group) && isWanted(group)) found.push(queuedShape(group, limit));
    return found.toSorted(compareInQueue);
  }

  /**
   * All that waits, in the order in which it is placed, at most `limit` workloads; with `before` only those
   * that go before this one.
   */
  inOrder(limit: number, before?: string): readonly PendingShape[] {
    const last = before === undefined ? undefined : this.#groupOf.get(before);
    const found: PendingShape[] = [];
    let left = limit;
    for (const { key, shape } of this.pending(0, EVERY_SHAPE)) {
      const group = this.#groups.get(key);
      if (!group || left <= 0) break;
      const ids = group.workloads.ids().take(left);
      const workloadIds = group === last ? [...idsBefore(ids, before)] : [...ids];
      if (workloadIds.length > 0) found.push({ key, shape, workloadIds });
      left -= workloadIds.length;
      if (group === last) break;
    }
    return found;
  }

  /** The group in which a workload waits. */
  groupOf(workloadId: string): QueuedShape | undefined {
    const group = this.#groupOf.get(workloadId);
    return group && queuedShape(group, 0);
  }

  /** What a workload that waits asks for. */
  shapeOf(workloadId: string): Shape | undefined {
    return this.#groupOf.get(workloadId)?.shape;
  }

  /** These shapes fit nowhere at present. */
  block(keys: readonly string[]): void {
    for (const key of keys) {
      const group = this.#groups.get(key);
      if (group) this.#open.delete(group);
    }
  }

  /** Of the groups that were tried, these wait for limits of their queues; the others do no more. */
  stop(tried: readonly QueuedShape[], stops: ReadonlyMap<string, GroupStop>): void {
    for (const { key } of tried) {
      const [group, stop] = [this.#groups.get(key), stops.get(key)];
      if (!group || (!stop && !group.stop)) continue;
      this.#stopped.delete(group);
      if (stop) {
        group.stop = stop;
        this.#open.delete(group);
        if (!stop.partly) this.#stopped.add(group);
      } else {
        delete group.stop;
        this.#open.add(group);
      }
    }
  }

  /** What waits for limits may be tried again: all of it, or what waited behind something that has gone. */
  ease(all: boolean): void {
    const eased = this.#eased;
    if (eased.size > 0) this.#eased = new Set();
    if (!all && eased.size === 0) return;
    for (const group of this.#groups.values()) {
      const queue = group.stop?.stop.queue;
      if (queue === undefined || !(all || eased.has(queue))) continue;
      delete group.stop;
      this.#stopped.delete(group);
      this.#open.add(group);
    }
  }

  /** How many wait for the same limit and go before this one: by priority, then by age. */
  aheadAtLimit(workloadId: string): number {
    const mine = this.#groupOf.get(workloadId);
    if (!mine?.stop) return 0;
    const { queue } = mine.stop.stop;
    let count = [...idsBefore(mine.workloads.ids(), workloadId)].length;
    const shape = queuedShape(mine, 0);
    for (const group of this.#stopped)
      if (
        group !== mine &&
        group.stop?.stop.queue === queue &&
        compareInQueue(queuedShape(group, 0), shape) < 0
      )
        count += group.workloads.size;
    return count;
  }

  /** Of a workload that waits, the limit that keeps it from starting. */
  stopOf(workloadId: string): GroupStop | undefined {
    return this.#groupOf.get(workloadId)?.stop;
  }

  /** The shape of a workload that waits because it fits nowhere at present. */
  blocked(workloadId: string): { readonly key: string; readonly shape: Shape } | undefined {
    const group = this.#groupOf.get(workloadId);
    return group && !this.#open.has(group) ? group : undefined;
  }

  #group(shape: Shape, queue: string, priority: number): Group {
    const isUsual = queue === DEFAULT_QUEUE && priority === 0;
    const key = isUsual ? shapeKey(shape) : `${queue} ${priority} ${shapeKey(shape)}`;
    const known = this.#groups.get(key);
    if (known) return known;
    const group = { key, shape, queue, priority, workloads: new WaitingLine() };
    this.#groups.set(key, group);
    this.#open.add(group);
    return group;
  }
}

function queuedShape({ key, shape, queue, priority, workloads }: Group, limit: number): QueuedShape {
  return {
    ...{ key, shape, queue, priority },
    workloadIds: firstOf(workloads.ids(), limit),
    sinceMs: workloads.first?.submittedAtMs ?? 0,
    waiting: workloads.size,
  };
}

function* idsBefore(ids: Iterable<string>, end: string | undefined): Generator<string> {
  for (const id of ids) {
    if (id === end) return;
    yield id;
  }
}

function firstOf(ids: Iterable<string>, limit: number): readonly string[] {
  const first: string[] = [];
  for (const id of ids) {
    if (first.length >= limit) break;
    first.push(id);
  }
  return first;
}
