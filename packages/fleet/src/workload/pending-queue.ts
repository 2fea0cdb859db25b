import { DEFAULT_QUEUE, type WorkloadSpec } from '@clawbernetes/protocol';
import { priorityOf } from '../queues/queue-accounts.ts';
import { compareInQueue, type GroupStop, type QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import { shapeKey, shapeOf, type Shape } from '../scheduler/resources.ts';
import { WaitingDemand } from '../scheduler/queues/waiting-demand.ts';
import type { PendingShape } from '../scheduler/plan.ts';
import type { WorkloadRecord } from '../records.ts';
import type { RoomBound } from '../scheduler/room-bound.ts';
import { ShapeIndex } from './shape-index.ts';
import { compareTurns, firstInTurn, TurnLine, type InLine } from './turn-line.ts';
import { idsBefore, WaitingGroup } from './waiting-group.ts';

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
  /** Of all that waits. */
  readonly demand = new WaitingDemand();
  readonly #queueOf: (spec: WorkloadSpec) => string;
  readonly #groups = new Map<string, WaitingGroup>();
  readonly #groupOf = new Map<string, WaitingGroup>();
  /** Not known to fit nowhere: a group leaves when it is blocked. */
  readonly #open = new Set<WaitingGroup>();
  /** Those that wait for a limit alone. */
  readonly #stopped = new Set<WaitingGroup>();
  /** All groups. */
  readonly #index = new ShapeIndex<WaitingGroup>();
  /** Open groups, and blocked ones that may fit on nodes that have changed. */
  readonly #line = new TurnLine<WaitingGroup>();
  /** Of those the blocked ones. */
  readonly #retried = new Set<WaitingGroup>();
  /** The last of them in order, if there may be more behind it. */
  #retriedUntil: InLine | undefined;
  /** Taken out of the line by the turn that is under way. */
  #taken: WaitingGroup[] = [];
  #numbers = 0;
  /** Groups by queue and priority. */
  readonly #counts = new Map<string, Map<number, number>>();
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

  /** Whether there are some that have not had their turn. */
  get isTrying(): boolean {
    return this.#open.size > 0 || this.isRetrying;
  }

  /** Whether some of them are known to fit nowhere but, maybe, on nodes that have changed since. */
  get isRetrying(): boolean {
    return this.#retried.size > 0 || this.#retriedUntil !== undefined;
  }

  add(workload: WorkloadRecord, shape: Shape = shapeOf(workload.spec, workload.nodeId)): void {
    const group = this.#group(shape, this.#queueOf(workload.spec), priorityOf(workload));
    if (!this.#groupOf.has(workload.id)) this.demand.add(group.queue, shape, 1);
    group.add(workload);
    this.#groupOf.set(workload.id, group);
    if (this.#open.has(group) || this.#retried.has(group)) this.#line.push(group);
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
    this.demand.add(group.queue, group.shape, -1);
    group.delete(workloadId);
    // Whoever waits behind it for the same limit may go on.
    if (group.stop) this.#eased.add(group.stop.stop.queue);
    if (group.workloads.size > 0) return;
    this.#groups.delete(group.key);
    this.#count(group, -1);
    this.#index.delete(group.key, group.shape);
    this.#line.delete(group);
    this.#open.delete(group);
    this.#retried.delete(group);
    this.#stopped.delete(group);
  }

  /**
   * Nodes may take more than when blocked shapes were tried: those that may fit there get their turn, `most`
   * at a time. As long as `isRetrying`, it is called again with what room there is by then.
   */
  retry(room: RoomBound, nodeIds: Iterable<string>, most: number): void {
    // One of which the oldest has gone may stand behind now: then it is found again.
    for (const group of this.#retried)
      if (this.#isLater(group) || (!group.shape.gang && !room.mayTake(group.shape))) this.#close(group);
    if (this.#retried.size > 0) return;
    const may = this.#index.within(room, nodeIds).filter((group) => this.#isBlocked(group));
    const next = firstInTurn(may, most, this.#retriedUntil);
    const last = next.length < most ? undefined : next.at(-1);
    this.#retriedUntil = last && { priority: last.priority, sinceMs: last.sinceMs, number: last.number };
    for (const group of next) {
      this.#retried.add(group);
      this.#line.push(group);
    }
  }

  #isLater(group: WaitingGroup): boolean {
    return this.#retriedUntil !== undefined && compareTurns(group, this.#retriedUntil) > 0;
  }

  #isBlocked(group: WaitingGroup): boolean {
    return !this.#open.has(group) && group.stop?.partly !== false;
  }

  /**
   * The shapes worth trying, those of higher priority and then the one that has waited longest first, with at
   * most `limit` workloads of each: open ones anywhere, those that are retried only on `nodeIds`. Who has
   * asked for some of them says with `settle` what came of it.
   */
  *turn(limit: number, nodeIds: ReadonlySet<string>): Generator<QueuedShape, void, undefined> {
    for (let group = this.#line.take(); group; group = this.#line.take()) {
      const isOpen = this.#open.has(group);
      if (!isOpen && !this.#retried.has(group)) continue;
      // Others that are retried go before it, and are not in the line yet.
      if (this.#isLater(group)) return this.#line.push(group);
      this.#taken.push(group);
      const shape = group.queued(limit);
      yield isOpen ? shape : { ...shape, nodeIds };
    }
  }

  /** Those, and what waits for a limit, which keeps its turn there: those behind it wait as well. */
  turnWithStopped(limit: number, nodeIds: ReadonlySet<string>): readonly QueuedShape[] {
    const found = [...this.turn(limit, nodeIds)];
    for (const group of this.#stopped) if (!group.stop?.stop.never) found.push(group.queued(limit));
    return found.toSorted(compareInQueue);
  }

  /** Ends a turn: of what was taken, this fits nowhere at present. The rest of it keeps its place. */
  settle(blocked: readonly string[]): void {
    for (const key of blocked) {
      const group = this.#groups.get(key);
      if (group) this.#close(group);
    }
    for (const group of this.#taken)
      if (this.#open.has(group) || this.#retried.has(group)) this.#line.push(group);
    this.#taken = [];
  }

  /** Keys of groups of which it is not known that they fit nowhere. */
  untried(): ReadonlySet<string> {
    const groups = [...this.#open, ...this.#retried, ...this.#stopped];
    return new Set(groups.filter(({ stop }) => stop?.stop.never !== true).map(({ key }) => key));
  }

  /** All groups that no limit keeps waiting, for whoever looks for some of them. */
  *unstopped(): Generator<GroupGlance, void, undefined> {
    for (const group of this.#groups.values()) {
      if (group.stop?.partly === false) continue;
      const shape = (limit: number): QueuedShape => group.queued(limit);
      yield { queue: group.queue, isBlocked: !this.#open.has(group), shape };
    }
  }

  /** What waits for a limit under which it could start: it is not overtaken there. */
  atLimit(): readonly QueuedShape[] {
    const groups = Array.from(this.#stopped).filter(({ stop }) => !stop?.stop.never);
    return groups.map((group) => group.queued(1));
  }

  /** All groups, with at most `limit` workloads of each. */
  queued(limit = 0): readonly QueuedShape[] {
    return Array.from(this.#groups.values(), (group) => group.queued(limit));
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
      if (last && compareInQueue(last, group) <= 0) continue;
      first = [...first, group.queued(1)].toSorted(compareInQueue).slice(0, count);
    }
    return first;
  }

  has(key: string): boolean {
    return this.#groups.has(key);
  }

  /**
   * Of those, and of groups that wait for a limit under which they could start, the `count` that `turnOf`
   * says come first (the smallest; undefined = not at all), of equals as in the queue; in the queue's order.
   */
  firstWaiting(
    count: number,
    limit: number,
    turnOf: (group: Pick<QueuedShape, 'key' | 'queue' | 'priority'>) => number | undefined,
  ): readonly QueuedShape[] {
    let first: { readonly turn: number; readonly group: WaitingGroup }[] = [];
    for (const group of this.#groups.values()) {
      if (this.#open.has(group) || group.stop?.stop.never === true) continue;
      const turn = turnOf(group);
      const last = first[count - 1];
      if (turn === undefined || (last && last.turn < turn)) continue;
      if (last?.turn === turn && compareInQueue(last.group, group) <= 0) continue;
      first = [...first, { turn, group }]
        .toSorted((one, other) =>
          one.turn === other.turn ? compareInQueue(one.group, other.group) : one.turn - other.turn,
        )
        .slice(0, count);
    }
    return first.map(({ group }) => group.queued(limit)).toSorted(compareInQueue);
  }

  get hasBlocked(): boolean {
    return this.#open.size < this.#groups.size;
  }

  /** Whether there is a group that might take the place of something. */
  mayPreempt(test: (queue: string, priority: number) => boolean): boolean {
    for (const [queue, counts] of this.#counts)
      for (const priority of counts.keys()) if (test(queue, priority)) return true;
    return false;
  }

  #count({ queue, priority }: WaitingGroup, change: 1 | -1): void {
    const counts = this.#counts.get(queue) ?? new Map<number, number>();
    this.#counts.set(queue, counts);
    const count = (counts.get(priority) ?? 0) + change;
    if (count > 0) counts.set(priority, count);
    else counts.delete(priority);
    if (counts.size === 0) this.#counts.delete(queue);
  }

  #closedShapes(limit: number, isWanted: (group: WaitingGroup) => boolean): readonly QueuedShape[] {
    const found: QueuedShape[] = [];
    for (const group of this.#groups.values())
      if (!this.#open.has(group) && isWanted(group)) found.push(group.queued(limit));
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
    const line = new TurnLine<WaitingGroup>();
    for (const group of this.#groups.values())
      if (group.stop?.stop.never !== true || group.stop.partly) line.push(group);
    for (let group = line.take(); group && left > 0; group = line.take()) {
      const { key, shape } = group;
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
    return group && group.queued(0);
  }

  /** What a workload that waits asks for. */
  shapeOf(workloadId: string): Shape | undefined {
    return this.#groupOf.get(workloadId)?.shape;
  }

  /** Of the groups that were tried, these wait for limits of their queues; the others do no more. */
  stop(tried: readonly QueuedShape[], stops: ReadonlyMap<string, GroupStop>): void {
    for (const { key } of tried) {
      const [group, stop] = [this.#groups.get(key), stops.get(key)];
      if (!group || (!stop && !group.stop)) continue;
      this.#stopped.delete(group);
      if (stop) {
        group.stop = stop;
        this.#close(group);
        if (!stop.partly) this.#stopped.add(group);
      } else {
        delete group.stop;
        this.#reopen(group);
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
      this.#reopen(group);
    }
  }

  #reopen(group: WaitingGroup): void {
    this.#retried.delete(group);
    this.#open.add(group);
    this.#line.push(group);
  }

  #close(group: WaitingGroup): void {
    this.#open.delete(group);
    this.#retried.delete(group);
    this.#line.delete(group);
  }

  /** How many wait for the same limit and go before this one: by priority, then by age. */
  aheadAtLimit(workloadId: string): number {
    const mine = this.#groupOf.get(workloadId);
    if (!mine?.stop) return 0;
    const { queue } = mine.stop.stop;
    let count = [...idsBefore(mine.workloads.ids(), workloadId)].length;
    const shape = mine.queued(0);
    for (const group of this.#stopped)
      if (group !== mine && group.stop?.stop.queue === queue && compareInQueue(group.queued(0), shape) < 0)
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

  #group(shape: Shape, queue: string, priority: number): WaitingGroup {
    const isUsual = queue === DEFAULT_QUEUE && priority === 0;
    const key = isUsual ? shapeKey(shape) : `${queue} ${priority} ${shapeKey(shape)}`;
    const known = this.#groups.get(key);
    if (known) return known;
    this.#numbers += 1;
    const group = new WaitingGroup({ key, number: this.#numbers, shape, queue, priority });
    this.#groups.set(key, group);
    this.#count(group, 1);
    this.#index.add(key, shape, group);
    this.#open.add(group);
    return group;
  }
}
