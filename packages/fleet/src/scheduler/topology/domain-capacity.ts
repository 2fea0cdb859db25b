import { present } from '@clawbernetes/kernel';
import type { TopologyTree } from './topology-tree.ts';

/** What one shape of member finds, counted in members: never in GPUs, whose sums say nothing about a node. */
export interface ShapeCapacity {
  /** By node number: members that fit on it at the same time. */
  readonly room: Int32Array;
  /** By domain number: the sum over its nodes. */
  readonly members: Int32Array;
}

/** Members counted on one node at most, so that the sums over 32,768 nodes stay below 2^31. */
export const MAX_ROOM = 65_535;

/** The counters grow with the tree; the arrays change when they do. */
interface GrowingCapacity {
  room: Int32Array;
  members: Int32Array;
}

/**
 * For each shape of member that is being asked for, how many every node and every domain can take. A change
 * of a node costs one addition per level and shape. Before a node leaves the tree or moves in it, `forget`
 * it.
 */
export class DomainCapacity {
  readonly #tree: TopologyTree;
  readonly #maxShapes: number;
  readonly #shapes = new Map<string, GrowingCapacity>();

  constructor(tree: TopologyTree, { maxShapes = 256 }: { readonly maxShapes?: number } = {}) {
    this.#tree = tree;
    this.#maxShapes = maxShapes;
  }

  /**
   * Begins to count a shape. False when there are too many already: plans for it then have to sum up by
   * themselves. Counting again from the start for a shape that is known.
   */
  register(shape: string, room: (node: number) => number): boolean {
    if (!this.#shapes.has(shape) && this.#shapes.size >= this.#maxShapes) return false;
    const { nodeSlots, domainSlots } = this.#tree;
    this.#shapes.set(shape, { room: new Int32Array(nodeSlots), members: new Int32Array(domainSlots) });
    for (let node = 0; node < nodeSlots; node++) if (this.#tree.has(node)) this.set(shape, node, room(node));
    return true;
  }

  unregister(shape: string): void {
    this.#shapes.delete(shape);
  }

  shapes(): IterableIterator<string> {
    return this.#shapes.keys();
  }

  /** Read-only, and valid until the next change. */
  of(shape: string): ShapeCapacity | undefined {
    return this.#shapes.get(shape);
  }

  /** Members of the shape that now fit on the node, which is in the tree. */
  set(shape: string, node: number, members: number): void {
    const capacity = present(this.#shapes.get(shape), 'a registered shape');
    this.#grow(capacity);
    const room = Math.min(MAX_ROOM, Math.max(0, members));
    const change = room - (capacity.room[node] ?? 0);
    if (change === 0) return;
    capacity.room[node] = room;
    for (const domain of this.#tree.path(node)) {
      capacity.members[domain] = (capacity.members[domain] ?? 0) + change;
    }
  }

  /** The node changed: counts every shape on it anew. */
  update(node: number, room: (shape: string) => number): void {
    for (const shape of this.#shapes.keys()) this.set(shape, node, room(shape));
  }

  /** The node is about to leave the tree, or to move. */
  forget(node: number): void {
    if (this.#tree.has(node)) this.update(node, () => 0);
  }

  #grow(capacity: GrowingCapacity): void {
    capacity.room = atLeast(capacity.room, this.#tree.nodeSlots);
    capacity.members = atLeast(capacity.members, this.#tree.domainSlots);
  }
}

/** Doubled when it is too short, so that a growing fleet copies each counter a few times only. */
function atLeast(counters: Int32Array, length: number): Int32Array {
  if (counters.length >= length) return counters;
  const longer = new Int32Array(Math.max(length, counters.length * 2));
  longer.set(counters);
  return longer;
}
