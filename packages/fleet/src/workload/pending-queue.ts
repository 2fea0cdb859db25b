import { DEFAULT_QUEUE, type WorkloadSpec } from '@clawbernetes/protocol';
import { priorityOf } from '../queues/queue-accounts.ts';
import {
  compareInQueue,
  type GroupStop,
  type QueuedShape,
  type WaitingSource,
} from '../scheduler/queues/queue-plan-order.ts';
import { shapeKey, shapeOf, type Shape } from '../scheduler/resources.ts';
import { WaitingDemand } from '../scheduler/queues/waiting-demand.ts';
import type { PendingShape, Plan } from '../scheduler/plan.ts';
import type { WorkloadRecord } from '../records.ts';
import type { RoomBound } from '../scheduler/room-bound.ts';
import { GroupCounts } from './group-counts.ts';
import { ShapeIndex } from './shape-index.ts';
import { RetryRound } from './retry-round.ts';
import { idsBefore, WaitingGroup } from './waiting-group.ts';
import { firstInOrder, firstOfQueues } from './waiting-order.ts';
import { TakenLines, WaitingLines, type Glance } from './waiting-lines.ts';

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
  /** Open groups, blocked ones that may fit on nodes that have changed, and what waits for limits. */
  readonly #lines = new WaitingLines();
  /** Of those the blocked ones that may fit. */
  readonly #retried = new Set<WaitingGroup>();
  /** Who of the blocked ones is next. */
  readonly #round = new RetryRound<WaitingGroup>();
  /** What the turn that is under way has taken out of the lines. */
  #turn: TakenLines | undefined;
  #numbers = 0;
  readonly #counts = new GroupCounts();
  #arrivals: Shape[] = [];
  /** What waits for a limit may be able to start, or was not held against it in the last turn. */
  #mayEase = false;

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
    return this.#open.size > 0 || this.isRetrying || this.#mayEase;
  }

  /** Whether some of them are known to fit nowhere but, maybe, on nodes that have changed since. */
  get isRetrying(): boolean {
    return this.#retried.size > 0 || this.#round.isUnderWay;
  }

  add(workload: WorkloadRecord, shape: Shape = shapeOf(workload.spec, workload.nodeId)): void {
    const group = this.#group(shape, this.#queueOf(workload.spec), priorityOf(workload));
    if (!this.#groupOf.has(workload.id)) this.demand.add(group.queue, shape, 1);
    group.add(workload);
    this.#groupOf.set(workload.id, group);
    this.#putBack(group);
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
    if (group.stop) this.#mayEase = true;
    if (group.workloads.size > 0) return;
    this.#groups.delete(group.key);
    this.#counts.add(group, -1);
    this.#index.delete(group.key, group.shape);
    this.#close(group);
  }

  /**
   * Nodes may take more than when blocked shapes were tried: those that may fit there get their turn, `most`
   * at a time. As long as `isRetrying`, it is called again with what room there is by then.
   */
  retry(room: RoomBound, nodeIds: Iterable<string>, most: number): void {
    const mayFit = (group: WaitingGroup): boolean =>
      this.#isBlocked(group) && (group.shape.gang !== undefined || room.mayTake(group.shape));
    for (const group of this.#retried) {
      // The oldest of it may have gone.
      const isLater = this.#round.isLater(group);
      if (!isLater && mayFit(group)) continue;
      this.#retried.delete(group);
      this.#lines.untry(group);
      if (isLater) this.#round.putBack(group);
    }
    if (this.#retried.size > 0) return;
    const may = this.#round.next(most, () => this.#index.within(room, nodeIds));
    for (const group of may) {
      if (this.#groups.get(group.key) !== group || !mayFit(group)) continue;
      this.#retried.add(group);
      this.#lines.push(group);
    }
  }

  #isBlocked(group: WaitingGroup): boolean {
    return !this.#open.has(group) && group.stop?.partly !== false;
  }

  /**
   * The shapes worth trying, queue by queue, those of higher priority and then the one that has waited
   * longest first, with at most `limit` workloads of each: open ones anywhere, those that are retried only
   * on `nodeIds`. What waits for a limit has its turn among them: those behind it wait as well. Who has asked
   * for some of them says with `settle` what came of it.
   */
  turn(limit: number, nodeIds: ReadonlySet<string>): WaitingSource {
    const shape = (group: WaitingGroup): QueuedShape => {
      const queued = group.queued(limit);
      // Limits may let it go where nothing has changed.
      return this.#retried.has(group) && !group.stop ? { ...queued, nodeIds } : queued;
    };
    const glance = (group: WaitingGroup): Glance => {
      if (!this.#open.has(group) && !this.#retried.has(group)) return 'dropped';
      // Others that are retried go before it, and are not in the line yet.
      return this.#round.isLater(group) ? 'last' : 'told';
    };
    this.#lines.prune();
    this.#turn = new TakenLines({ lines: this.#lines, shape, glance });
    return this.#turn;
  }

  /** Ends a turn, of which that was planned. The rest of what was taken keeps its place. */
  settle({ placements, blocked, stops }: Plan & { readonly stops?: ReadonlyMap<string, GroupStop> }): void {
    const placed = new Set(placements.map(({ workloadId }) => this.#groupOf.get(workloadId)));
    const unfit = new Set(blocked);
    let isThrough = this.#turn?.isThrough ?? !this.#mayEase;
    for (const group of this.#turn?.taken ?? []) {
      const stop = stops?.get(group.key);
      if (stop) this.#stop(group, stop);
      else if (unfit.has(group.key)) this.#close(group);
      else if (group.stop && placed.has(group)) this.#reopen(group);
      else {
        const isTried = this.#open.has(group) || this.#retried.has(group);
        // Else it was next when the plan ended.
        if (!isTried) isThrough = false;
        this.#putBack(group);
      }
    }
    this.#mayEase = this.#lines.hasStopped && !isThrough;
    this.#turn = undefined;
  }

  /** Keys of groups of which it is not known that they fit nowhere. */
  untried(): ReadonlySet<string> {
    const groups = [...this.#open, ...this.#retried, ...this.#stopped];
    const isTried = ({ stop }: WaitingGroup): boolean => stop?.stop.never !== true || stop.partly;
    return new Set(groups.filter(isTried).map(({ key }) => key));
  }

  /** All groups that no limit keeps waiting, for whoever looks for some of them. */
  *unstopped(): Generator<GroupGlance, void, undefined> {
    for (const group of this.#groups.values()) {
      if (group.stop?.partly === false) continue;
      const shape = (limit: number): QueuedShape => group.queued(limit);
      yield { queue: group.queue, isBlocked: !this.#open.has(group), shape };
    }
  }

  /**
   * Asks for places for some of what waits, while what waits for a limit has its turn among it as `stoppedAs`
   * tells: nobody overtakes it there.
   */
  atLimit<Answer>(
    stoppedAs: (group: QueuedShape) => QueuedShape,
    ask: (stopped: WaitingSource) => Answer,
  ): Answer {
    const shape = (group: WaitingGroup): QueuedShape => stoppedAs(group.queued(1));
    const glance = (): Glance => 'last';
    const lines = new TakenLines({ lines: this.#lines, shape, glance });
    const answer = ask(lines);
    for (const group of lines.taken) this.#putBack(group);
    return answer;
  }

  /**
   * The first `limit` groups of each queue, with so many workloads of each at most; with `until` none that
   * stand behind that workload in its queue.
   */
  firstOfQueues(limit: number, until?: string): readonly QueuedShape[] {
    const last = until === undefined ? undefined : this.#groupOf.get(until);
    return firstOfQueues(this.#groups.values(), limit, last);
  }

  /**
   * Groups that fit nowhere at present and whose first workload is wanted, with at most `limit` of each.
   */
  blockedShapes(
    limit: number,
    isWanted: (first: WorkloadRecord) => boolean = () => true,
  ): readonly QueuedShape[] {
    const found: QueuedShape[] = [];
    for (const group of this.#groups.values()) {
      const { first } = group.workloads;
      const isBlocked = !this.#open.has(group) && group.stop?.partly !== false;
      if (isBlocked && first && isWanted(first)) found.push(group.queued(limit));
    }
    return found.toSorted(compareInQueue);
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
      if (this.#open.has(group) || (group.stop?.stop.never === true && !group.stop.partly)) continue;
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
    return this.#counts.some(test);
  }

  /**
   * All that waits, in the order in which it is placed, at most `limit` workloads; with `before` only those
   * that go before this one.
   */
  inOrder(limit: number, before?: string): readonly PendingShape[] {
    const groups = this.#groups.values().filter(({ stop }) => stop?.stop.never !== true || stop.partly);
    const last = before === undefined ? undefined : { workloadId: before, group: this.#groupOf.get(before) };
    return firstInOrder(groups, limit, last);
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

  /** What was taken in a turn, or has a workload that may be older than the others. */
  #putBack(group: WaitingGroup): void {
    if (this.#open.has(group) || this.#retried.has(group)) this.#lines.push(group);
    this.#lines.follow(group);
  }

  #stop(group: WaitingGroup, stop: GroupStop): void {
    this.#close(group);
    group.stop = stop;
    if (!stop.partly) this.#stopped.add(group);
    this.#lines.stop(group, stop);
  }

  /** Limits have changed, or what they hold for: whatever waits for one is held against it again. */
  ease(): void {
    this.#lines.limitsChanged();
    this.#mayEase = this.#lines.hasStopped;
  }

  #reopen(group: WaitingGroup): void {
    this.#close(group);
    this.#open.add(group);
    this.#lines.push(group);
  }

  /** It fits nowhere, or has gone. */
  #close(group: WaitingGroup): void {
    this.#open.delete(group);
    this.#retried.delete(group);
    this.#stopped.delete(group);
    this.#lines.delete(group);
    delete group.stop;
  }

  /** How many wait for the same limit and go before this one: by priority, then by age. */
  aheadAtLimit(workloadId: string): number {
    const mine = this.#groupOf.get(workloadId);
    if (!mine?.stop) return 0;
    const { queue } = mine.stop.stop;
    let count = [...idsBefore(mine.workloads.ids(), workloadId)].length;
    for (const group of this.#stopped)
      if (group !== mine && group.stop?.stop.queue === queue && compareInQueue(group, mine) < 0)
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
    this.#counts.add(group, 1);
    this.#index.add(key, shape, group);
    this.#open.add(group);
    return group;
  }
}
