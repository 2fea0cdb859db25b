import { hasEnded } from '@clawbernetes/protocol';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { GangMembers } from './gang/gang-members.ts';
import { keepsItsPlaces } from './gang/own-places.ts';
import { isEnded } from './lifecycle.ts';
import { StateCounts } from './state-counts.ts';
import { WorkloadsThen } from './workloads-then.ts';

/**
 * Workloads and attempts in memory, with the indexes that the fleet asks for. Rows are the writer's business.
 */
export class WorkloadTable {
  readonly #workloads = new Map<string, WorkloadRecord>();
  readonly #counts = new StateCounts();
  readonly #attempts = new Map<string, AttemptRecord>();
  readonly #attemptsOf = new Map<string, string[]>();
  readonly #gangs = new GangMembers();
  readonly #liveOn = new Map<string, Set<string>>();
  readonly #byName = new Map<string, string>();
  readonly #byKey = new Map<string, string>();
  readonly #ended = new Set<string>();
  readonly #reserved = new Set<string>();
  readonly #restarting = new Set<string>();
  /** Ascending: ids sort by time, so that a new one nearly always comes last. */
  readonly #ids: string[] = [];
  /** Moments that somebody still reads. */
  readonly #moments = new Set<WorkloadsThen>();

  /** All of it as it is now, to be read over several turns; to be disposed of afterwards. */
  moment(): WorkloadsThen {
    const moment = new WorkloadsThen(this, () => this.#moments.delete(moment));
    this.#moments.add(moment);
    return moment;
  }

  get endedCount(): number {
    return this.#ended.size;
  }

  /** Ids, in the order in which they ended. */
  ended(): SetIterator<string> {
    return this.#ended.values();
  }

  /** By state, those of a namespace. */
  counts(namespace: string): Readonly<Record<string, number>> {
    return this.#counts.of(namespace);
  }

  /** In submission order. */
  workloads(): MapIterator<WorkloadRecord> {
    return this.#workloads.values();
  }

  /** In descending order of ids, those below `before`. */
  *descending(before?: string): Generator<WorkloadRecord, void, undefined> {
    const end = before === undefined ? this.#ids.length : this.#indexOf(before);
    for (let index = end - 1; index >= 0; index -= 1) {
      const workload = this.#workloads.get(this.#ids[index] ?? '');
      if (workload) yield workload;
    }
  }

  /** Those whose ids begin so, at most `limit`. */
  beginningWith(prefix: string, limit: number): readonly WorkloadRecord[] {
    const start = this.#indexOf(prefix);
    const ids = this.#ids.slice(start, start + limit).filter((id) => id.startsWith(prefix));
    return ids.flatMap((id) => this.#workloads.get(id) ?? []);
  }

  workload(id: string): WorkloadRecord | undefined {
    return this.#workloads.get(id);
  }

  attempt(id: string): AttemptRecord | undefined {
    return this.#attempts.get(id);
  }

  /** Oldest first. */
  attemptsOf(workloadId: string): readonly AttemptRecord[] {
    return (this.#attemptsOf.get(workloadId) ?? []).flatMap((id) => this.#attempts.get(id) ?? []);
  }

  /** Of a gang its member of rank 0. */
  latestAttempt(workloadId: string): AttemptRecord | undefined {
    const [first] = this.#gangs.of(workloadId);
    if (first) return first;
    const id = this.#attemptsOf.get(workloadId)?.at(-1);
    return id === undefined ? undefined : this.#attempts.get(id);
  }

  /** The newest attempts of a gang's newest reservation, one for each rank that was ever
   * placed, by rank. Not to be kept: it changes with them.
   */
  members(workloadId: string): readonly AttemptRecord[] {
    return this.#gangs.of(workloadId);
  }

  /** Whether a member of a gang is the newest of its rank in its gang's newest reservation. */
  isCurrentMember({ id, workloadId, rank }: AttemptRecord): boolean {
    return rank !== undefined && this.#gangs.of(workloadId)[rank]?.id === id;
  }

  /** Workloads that have reservations for gangs, in no particular order. */
  gangs(): SetIterator<string> {
    return this.#reserved.values();
  }

  /** Gangs whose places are kept for them while they restart. */
  restarting(): ReadonlySet<string> {
    return this.#restarting;
  }

  hasLive(workloadId: string): boolean {
    return this.attemptsOf(workloadId).some(({ state }) => !isEnded(state));
  }

  /** Attempts that may still run on the node, the unknown ones included. */
  liveOn(nodeId: string): readonly AttemptRecord[] {
    const live: AttemptRecord[] = [];
    // Asked for every node by who explains something.
    for (const id of this.#liveOn.get(nodeId) ?? []) {
      const attempt = this.#attempts.get(id);
      if (attempt) live.push(attempt);
    }
    return live;
  }

  liveCount(nodeId: string): number {
    return this.#liveOn.get(nodeId)?.size ?? 0;
  }

  /** The newest workload of that name. */
  named(namespace: string, name: string): WorkloadRecord | undefined {
    const id = this.#byName.get(`${namespace}/${name}`);
    return id === undefined ? undefined : this.#workloads.get(id);
  }

  withKey(namespace: string, idempotencyKey: string): WorkloadRecord | undefined {
    const id = this.#byKey.get(`${namespace}/${idempotencyKey}`);
    return id === undefined ? undefined : this.#workloads.get(id);
  }

  putWorkload(workload: WorkloadRecord): void {
    for (const moment of this.#moments) moment.keepWorkload(workload.id);
    const before = this.#workloads.get(workload.id);
    this.#workloads.set(workload.id, workload);
    if (before) this.#counts.remove(before);
    this.#counts.add(workload);
    if (hasEnded(workload.state)) this.#ended.add(workload.id);
    if (workload.gang) this.#noteGang(workload);
    // Neither its id nor what it is called ever changes.
    if (before) return;
    this.#addId(workload.id);
    this.#byName.set(`${workload.namespace}/${workload.name}`, workload.id);
    if (workload.idempotencyKey)
      this.#byKey.set(`${workload.namespace}/${workload.idempotencyKey}`, workload.id);
  }

  putAttempt(attempt: AttemptRecord): void {
    for (const moment of this.#moments) moment.keepAttempt(attempt);
    if (!this.#attempts.has(attempt.id)) {
      const siblings = this.#attemptsOf.get(attempt.workloadId);
      if (siblings) siblings.push(attempt.id);
      else this.#attemptsOf.set(attempt.workloadId, [attempt.id]);
    }
    this.#attempts.set(attempt.id, attempt);
    if (attempt.rank !== undefined) this.#gangs.put(attempt);
    const live = this.#liveOn.get(attempt.nodeId) ?? new Set();
    if (isEnded(attempt.state)) live.delete(attempt.id);
    else live.add(attempt.id);
    this.#liveOn.set(attempt.nodeId, live);
  }

  /** Drops an ended workload with its attempts; answers their ids. */
  remove(id: string): readonly string[] {
    const workload = this.#workloads.get(id);
    for (const moment of this.#moments) {
      moment.keepWorkload(id);
      for (const attempt of this.attemptsOf(id)) moment.keepAttempt(attempt);
    }
    const attempts = this.#attemptsOf.get(id) ?? [];
    for (const attempt of attempts) this.#attempts.delete(attempt);
    this.#attemptsOf.delete(id);
    this.#gangs.delete(id);
    this.#workloads.delete(id);
    this.#ended.delete(id);
    this.#restarting.delete(id);
    if (!workload) return attempts;
    this.#counts.remove(workload);
    this.#ids.splice(this.#indexOf(id), 1);
    this.#dropKeys(workload);
    return attempts;
  }

  #noteGang(workload: WorkloadRecord): void {
    const { id, gang, state } = workload;
    if (gang?.phase === 'released' || hasEnded(state)) this.#reserved.delete(id);
    else this.#reserved.add(id);
    if (keepsItsPlaces(workload)) this.#restarting.add(id);
    else this.#restarting.delete(id);
  }

  #addId(id: string): void {
    const at = this.#indexOf(id);
    if (at === this.#ids.length) this.#ids.push(id);
    else this.#ids.splice(at, 0, id);
  }

  /** Where `id` is among the ids, or would be. */
  #indexOf(id: string): number {
    let [low, high] = [0, this.#ids.length];
    if (high === 0 || (this.#ids[high - 1] ?? '') < id) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? '') < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #dropKeys({ id, namespace, name, idempotencyKey }: WorkloadRecord): void {
    if (this.#byName.get(`${namespace}/${name}`) === id) this.#byName.delete(`${namespace}/${name}`);
    if (idempotencyKey) this.#byKey.delete(`${namespace}/${idempotencyKey}`);
  }
}
