import { memberOf } from '../scheduler/gang/member-shape.ts';
import type { Shape } from '../scheduler/resources.ts';
import { gpusAsked, type RoomBound } from '../scheduler/room-bound.ts';

interface Asking<Entry> {
  readonly entry: Entry;
  /** Of one node. */
  readonly shape: Shape;
}

interface Bucket<Entry> {
  /** Any of them: all ask for the same GPUs. */
  readonly example: Shape;
  readonly asking: Map<string, Asking<Entry>>;
}

/**
 * What waits, by the GPUs that it asks for: so a node that has room is held only against what may fit there,
 * and not against all that waits.
 */
export class ShapeIndex<Entry> {
  readonly #byGpus = new Map<string, Bucket<Entry>>();
  /** What may run on one node only, by that node. */
  readonly #bound = new Map<string, Map<string, Asking<Entry>>>();
  /** Gangs that spread: a node that goes may let them be even. */
  readonly #spread = new Map<string, Entry>();

  add(key: string, whole: Shape, entry: Entry): void {
    if (whole.gang?.spread) this.#spread.set(key, entry);
    else {
      const shape = memberOf(whole);
      this.#bucketFor(shape).set(key, { entry, shape });
    }
  }

  delete(key: string, whole: Shape): void {
    if (this.#spread.delete(key)) return;
    const { nodeId } = whole;
    const bucket = this.#bucketFor(memberOf(whole));
    bucket.delete(key);
    if (bucket.size > 0) return;
    if (nodeId === undefined) this.#byGpus.delete(gpusAsked(memberOf(whole)));
    else this.#bound.delete(nodeId);
  }

  /** Those that may fit, by numbers, on one of these nodes. @param room of them all. */
  *within(room: RoomBound, nodeIds: Iterable<string>): Generator<Entry, void, undefined> {
    yield* this.#spread.values();
    for (const { example, asking } of this.#byGpus.values()) {
      if (!room.mayGiveGpus(example)) continue;
      for (const { entry, shape } of asking.values()) if (room.mayTake(shape)) yield entry;
    }
    if (this.#bound.size === 0) return;
    for (const nodeId of nodeIds)
      for (const { entry, shape } of this.#bound.get(nodeId)?.values() ?? [])
        if (room.mayTake(shape)) yield entry;
  }

  #bucketFor(shape: Shape): Map<string, Asking<Entry>> {
    if (shape.nodeId !== undefined) {
      const bound = this.#bound.get(shape.nodeId) ?? new Map<string, Asking<Entry>>();
      this.#bound.set(shape.nodeId, bound);
      return bound;
    }
    const gpus = gpusAsked(shape);
    const bucket = this.#byGpus.get(gpus) ?? { example: shape, asking: new Map<string, Asking<Entry>>() };
    this.#byGpus.set(gpus, bucket);
    return bucket.asking;
  }
}
