import { BinaryHeap } from '@clawbernetes/kernel';
import {
  keyOfStop,
  type GroupStop,
  type IsShut,
  type QueuedShape,
  type WaitingSource,
} from '../scheduler/queues/queue-plan-order.ts';
import { compareTurns, TurnLine } from './turn-line.ts';
import type { WaitingGroup } from './waiting-group.ts';

/** Groups of one queue that wait for the same limits: where the first is stopped again, all are. */
interface Bucket {
  readonly stop: GroupStop;
  readonly key: string;
  /** Of the limits that they were held against. */
  readonly edition: number;
  readonly line: TurnLine<WaitingGroup>;
}

interface LinesOfQueue {
  /** What may fit somewhere, for all that is known. */
  readonly tried: TurnLine<WaitingGroup>;
  readonly stopped: Map<string, Bucket>;
}

/** What stands in the lines that may be tried, queue by queue. */
export class WaitingLines {
  readonly #queues = new Map<string, LinesOfQueue>();
  readonly #bucketOf = new Map<WaitingGroup, Bucket>();
  #edition = 0;

  /** Whether something waits for limits. */
  get hasStopped(): boolean {
    return this.#bucketOf.size > 0;
  }

  /** What may be tried, whatever limits it waits for besides. */
  push(group: WaitingGroup): void {
    this.#of(group.queue).tried.push(group);
  }

  /** It need not be tried but for limits that it waits for. */
  untry(group: WaitingGroup): void {
    this.#of(group.queue).tried.delete(group);
  }

  /** What waits for limits alone. */
  stop(group: WaitingGroup, stop: GroupStop): void {
    this.delete(group);
    const { stopped } = this.#of(group.queue);
    const key = keyOfStop(stop);
    const name = `${this.#edition} ${key}`;
    const bucket = stopped.get(name) ?? {
      ...{ stop, key, edition: this.#edition },
      line: new TurnLine<WaitingGroup>(),
    };
    stopped.set(name, bucket);
    bucket.line.push(group);
    this.#bucketOf.set(group, bucket);
  }

  /** It was taken, or may have waited longer than its place says. */
  follow(group: WaitingGroup): void {
    this.#bucketOf.get(group)?.line.push(group);
  }

  delete(group: WaitingGroup): void {
    this.#bucketOf.get(group)?.line.delete(group);
    this.#bucketOf.delete(group);
    this.#queues.get(group.queue)?.tried.delete(group);
  }

  /** Limits are others: whatever waits for one is held against them again. */
  limitsChanged(): void {
    this.#edition += 1;
  }

  /** Those in which somebody stands in a line. */
  *queues(): Generator<string, void, undefined> {
    for (const [queue, { tried, stopped }] of this.#queues)
      if (tried.first || stopped.values().some(({ line }) => line.first)) yield queue;
  }

  /** Forgets queues and limits that nobody waits for. To be called while nothing is taken out. */
  prune(): void {
    for (const [queue, { tried, stopped }] of this.#queues) {
      for (const [key, { line }] of stopped) if (!line.first) stopped.delete(key);
      if (!tried.first && stopped.size === 0) this.#queues.delete(queue);
    }
  }

  /** What may be tried of a queue. */
  tried(queue: string): TurnLine<WaitingGroup> {
    return this.#of(queue).tried;
  }

  /** Those that wait for limits of a queue. */
  stopped(queue: string): Iterable<Bucket> {
    return this.#of(queue).stopped.values();
  }

  /** Whether all of it is stopped again, for what is known in a plan. */
  isShut({ stop, edition }: Bucket, isShut: IsShut): boolean {
    return edition === this.#edition && ((stop.stop.never && !stop.partly) || isShut(stop));
  }

  /** Empty of limits that have changed since. */
  stopKeyOf({ key, edition }: Bucket): string {
    return edition === this.#edition ? key : '';
  }

  #of(queue: string): LinesOfQueue {
    const known = this.#queues.get(queue);
    if (known) return known;
    const lines = { tried: new TurnLine<WaitingGroup>(), stopped: new Map<string, Bucket>() };
    this.#queues.set(queue, lines);
    return lines;
  }
}

interface Source {
  readonly first: WaitingGroup;
  readonly line: TurnLine<WaitingGroup>;
  /** Absent of what does not wait for limits. */
  readonly bucket?: Bucket;
}

/** What a plan makes of a group that has come to the front of a line of what may be tried. */
export type Glance = 'told' | 'dropped' | 'last';

export interface TakenDeps {
  readonly lines: WaitingLines;
  /** `dropped` stands in no line any more; `last` goes back, as do those behind it. */
  readonly glance: (group: WaitingGroup) => Glance;
  readonly shape: (group: WaitingGroup) => QueuedShape;
}

/** The lines as one plan takes from them, those of a queue as one: what is not asked for keeps its place. */
export class TakenLines implements WaitingSource {
  /** In the order in which they were told. */
  readonly taken = new Set<WaitingGroup>();
  readonly #deps: TakenDeps;
  readonly #sources = new Map<string, BinaryHeap<Source>>();

  constructor(deps: TakenDeps) {
    this.#deps = deps;
  }

  /** Whether everything had its turn or need not have it. */
  get isThrough(): boolean {
    return Array.from(this.queues()).every((queue) => this.#sources.get(queue)?.size === 0);
  }

  queues(): Iterable<string> {
    return this.#deps.lines.queues();
  }

  next(queue: string, isShut: IsShut): QueuedShape | undefined {
    const { lines, glance, shape } = this.#deps;
    const sources = this.#sourcesOf(queue);
    for (let { first: source } = sources; source; source = sources.first) {
      sources.pop();
      const { first: group, line, bucket } = source;
      if (bucket && lines.isShut(bucket, isShut)) continue;
      line.take();
      const seen = this.taken.has(group) ? 'dropped' : bucket ? 'told' : glance(group);
      if (seen === 'last') {
        line.push(group);
        continue;
      }
      if (line.first) sources.push({ ...source, first: line.first });
      if (seen === 'dropped') continue;
      this.taken.add(group);
      return bucket ? { ...shape(group), stoppedAt: lines.stopKeyOf(bucket) } : shape(group);
    }
    return undefined;
  }

  #sourcesOf(queue: string): BinaryHeap<Source> {
    const known = this.#sources.get(queue);
    if (known) return known;
    const { lines } = this.#deps;
    const sources = new BinaryHeap<Source>((one, other) => compareTurns(one.first, other.first) < 0);
    this.#sources.set(queue, sources);
    const line = lines.tried(queue);
    if (line.first) sources.push({ first: line.first, line });
    for (const bucket of lines.stopped(queue))
      if (bucket.line.first) sources.push({ first: bucket.line.first, line: bucket.line, bucket });
    return sources;
  }
}
