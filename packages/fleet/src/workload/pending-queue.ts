import { shapeKey, shapeOf, type Shape } from '../scheduler/resources.ts';
import type { PendingShape } from '../scheduler/plan.ts';
import type { WorkloadRecord } from '../records.ts';

interface Group {
  readonly key: string;
  readonly shape: Shape;
  /** In order of submission. */
  readonly workloads: Map<string, WorkloadRecord>;
}

/** As if a node had changed, so that blocked shapes are among those worth trying. */
const EVERY_SHAPE: ReadonlySet<string> = new Set(['']);

/**
 * Workloads that wait for a place, grouped by shape: one of a shape that fits nowhere answers for all its
 * twins.
 */
export class PendingQueue {
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<string, Group>();
  /** Not known to fit nowhere: a group leaves when it is blocked. */
  readonly #open = new Set<Group>();
  #arrivals: Shape[] = [];

  get size(): number {
    return this.#groupOf.size;
  }

  /** Whether there are shapes that may fit somewhere, for all that is known. */
  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  add(workload: WorkloadRecord, shape: Shape = shapeOf(workload.spec, workload.nodeId)): void {
    const group = this.#group(shapeKey(shape), shape);
    group.workloads.set(workload.id, workload);
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
    if (group.workloads.size > 0) return;
    this.#groups.delete(group.key);
    this.#open.delete(group);
  }

  /**
   * The shapes worth trying, the one that has waited longest first, with at most `limit` workloads of each:
   * open ones anywhere, blocked ones only on nodes that have `changed`.
   */
  pending(limit: number, changed: ReadonlySet<string>): readonly PendingShape[] {
    const groups = changed.size > 0 ? this.#groups.values() : this.#open.values();
    return Array.from(groups, (group) => ({
      key: group.key,
      shape: group.shape,
      workloadIds: firstOf(group.workloads.keys(), limit),
      ...(this.#open.has(group) ? {} : { nodeIds: changed }),
      sinceMs: group.workloads.values().next().value?.submittedAtMs ?? 0,
    })).toSorted((left, right) => left.sinceMs - right.sinceMs);
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
      const ids = group.workloads.keys().take(left);
      const workloadIds = group === last ? [...idsBefore(ids, before)] : [...ids];
      if (workloadIds.length > 0) found.push({ key, shape, workloadIds });
      left -= workloadIds.length;
      if (group === last) break;
    }
    return found;
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

  /** The shape of a workload that waits because it fits nowhere at present. */
  blocked(workloadId: string): { readonly key: string; readonly shape: Shape } | undefined {
    const group = this.#groupOf.get(workloadId);
    return group && !this.#open.has(group) ? group : undefined;
  }

  #group(key: string, shape: Shape): Group {
    const known = this.#groups.get(key);
    if (known) return known;
    const group = { key, shape, workloads: new Map() };
    this.#groups.set(key, group);
    this.#open.add(group);
    return group;
  }
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
