import { compareInQueue, type IsShut, type QueuedShape, type WaitingSource } from './queue-plan-order.ts';

/** What waits as a list. */
export class ListedShapes implements WaitingSource {
  readonly #byQueue: ReadonlyMap<string, Iterator<QueuedShape>>;

  constructor(waiting: readonly QueuedShape[]) {
    const byQueue = Map.groupBy(waiting.toSorted(compareInQueue), ({ queue }) => queue);
    this.#byQueue = new Map(byQueue.entries().map(([queue, shapes]) => [queue, shapes.values()]));
  }

  queues(): Iterable<string> {
    return this.#byQueue.keys();
  }

  next(queue: string): QueuedShape | undefined {
    const next = this.#byQueue.get(queue)?.next();
    return next?.done === false ? next.value : undefined;
  }
}

/** What two sources have, in one order; of equals those of the first one before the others. */
export class MergedSources implements WaitingSource {
  readonly #sources: readonly [WaitingSource, WaitingSource];
  /** By queue, what was taken from each and not told yet. */
  readonly #heads = new Map<string, [QueuedShape | undefined, QueuedShape | undefined]>();

  constructor(one: WaitingSource, other: WaitingSource) {
    this.#sources = [one, other];
  }

  queues(): Iterable<string> {
    const [one, other] = this.#sources;
    return new Set([...one.queues(), ...other.queues()]);
  }

  next(queue: string, isShut: IsShut): QueuedShape | undefined {
    const heads = this.#heads.get(queue) ?? [undefined, undefined];
    this.#heads.set(queue, heads);
    const [one, other] = this.#sources;
    heads[0] ??= one.next(queue, isShut);
    heads[1] ??= other.next(queue, isShut);
    const at = heads[0] && (!heads[1] || compareInQueue(heads[0], heads[1]) <= 0) ? 0 : 1;
    const next = heads[at];
    heads[at] = undefined;
    return next;
  }
}

/** All of it, where no queue has a limit. */
export function* allOf(source: WaitingSource): Generator<QueuedShape, void, undefined> {
  for (const queue of source.queues())
    for (let shape = unlimited(source, queue); shape; shape = unlimited(source, queue)) yield shape;
}

function unlimited(source: WaitingSource, queue: string): QueuedShape | undefined {
  return source.next(queue, () => false);
}
