import { present } from '@clawbernetes/kernel';
import { membersThatFit } from '../fit.ts';
import { shapeKey, type Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { DomainCapacity, type ShapeCapacity } from '../topology/domain-capacity.ts';
import { topologyPlace, TopologyTree } from '../topology/topology-tree.ts';

/** Shapes of members that are counted at once; the one asked for longest ago is given up for another. */
const MAX_SHAPES = 256;
/** Changes that are remembered, per node of the fleet: a shape that missed more is counted anew. */
const CHANGES_PER_NODE = 4;
const MIN_CHANGES = 1024;

interface Member {
  readonly view: SnapshotNode;
  readonly labels: SnapshotNode['labels'];
}

/**
 * Where the nodes of a fleet stand, and how many members of a shape each place takes. A change of a node
 * costs one entry in a list, whatever is counted; what a shape missed is made up for when it is asked for
 * again.
 */
export class FleetTopology {
  readonly tree = new TopologyTree();
  readonly #capacity = new DomainCapacity(this.tree, { maxShapes: MAX_SHAPES });
  readonly #numbers = new Map<string, number>();
  readonly #members: (Member | undefined)[] = [];
  readonly #freed: number[] = [];
  /** Numbers of nodes that changed, and how many changes went before the first of them. */
  #changes: number[] = [];
  #dropped = 0;
  /** By shape, the one asked for longest ago first: changes that it has counted. */
  readonly #counted = new Map<string, number>();

  constructor(nodes: Iterable<SnapshotNode> = []) {
    for (const node of nodes) this.put(node);
  }

  /** Nodes in all. */
  get size(): number {
    return this.#numbers.size;
  }

  number(nodeId: string): number | undefined {
    return this.#numbers.get(nodeId);
  }

  view(number: number): SnapshotNode {
    return present(this.#members[number], 'a node of the tree').view;
  }

  /** Adds a node, or takes account of what changed of it. */
  put(view: SnapshotNode): void {
    const number = this.#numbers.get(view.id) ?? this.#freed.pop() ?? this.#members.length;
    const before = this.#members[number];
    const { labels } = view;
    const stays = before?.labels === labels && before.view.name === view.name;
    this.#members[number] = { view, labels };
    this.#numbers.set(view.id, number);
    if (!stays) {
      if (before) this.#capacity.forget(number);
      this.tree.remove(number);
      this.tree.add(number, view.name, topologyPlace(labels));
    }
    this.#changed(number);
  }

  remove(nodeId: string): void {
    const number = this.#numbers.get(nodeId);
    if (number === undefined) return;
    this.#capacity.forget(number);
    this.tree.remove(number);
    this.#numbers.delete(nodeId);
    this.#members[number] = undefined;
    this.#freed.push(number);
  }

  /** What one member of this shape finds, now. Read-only, and valid until the next change. */
  capacity(member: Shape): ShapeCapacity {
    const key = shapeKey(member);
    const since = this.#counted.get(key);
    this.#counted.delete(key);
    if (since === undefined || since < this.#dropped) this.#register(key, member);
    else this.#catchUp(key, member, since);
    this.#counted.set(key, this.#dropped + this.#changes.length);
    return present(this.#capacity.of(key), 'a shape that is counted');
  }

  #register(key: string, member: Shape): void {
    const [oldest] = this.#counted.keys();
    if (this.#counted.size >= MAX_SHAPES && oldest !== undefined) {
      this.#counted.delete(oldest);
      this.#capacity.unregister(oldest);
    }
    this.#capacity.register(key, (number) => membersThatFit(this.view(number), member));
  }

  #catchUp(key: string, member: Shape, since: number): void {
    for (const number of new Set(this.#changes.slice(since - this.#dropped))) {
      const node = this.#members[number];
      if (node) this.#capacity.set(key, number, membersThatFit(node.view, member));
    }
  }

  #changed(number: number): void {
    this.#changes.push(number);
    const most = Math.max(MIN_CHANGES, CHANGES_PER_NODE * this.#numbers.size);
    if (this.#changes.length <= most) return;
    const half = this.#changes.length >> 1;
    this.#dropped += half;
    this.#changes = this.#changes.slice(half);
  }
}
