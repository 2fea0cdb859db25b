import { present } from '@clawbernetes/kernel';
import type { SnapshotNode } from './snapshot.ts';

/** Equal for nodes that are alike; from 0 to 2^31 − 1. */
export type GroupKey = number;

/** Nodes that are alike for whoever looks for a place, except for their names. */
export interface NodeGroup {
  readonly key: GroupKey;
  /** By id, in the order in which they became like this; one at least. */
  readonly nodes: ReadonlyMap<string, SnapshotNode>;
  readonly size: number;
}

interface Group {
  readonly key: GroupKey;
  readonly nodes: Map<string, SnapshotNode>;
  /** Of `nodes`: at hand for whoever looks at all groups. */
  size: number;
  /** Place in the list. */
  at: number;
}

/**
 * The nodes of a fleet by likeness. A fleet has far fewer groups than nodes, so that a search looks at the
 * groups; a change of one node costs the same in a fleet of any size.
 */
export class NodeGroups {
  readonly #keyOf: (node: SnapshotNode) => GroupKey;
  readonly #byKey = new Map<GroupKey, Group>();
  readonly #list: Group[] = [];
  readonly #groupOf = new Map<string, Group>();

  constructor(keyOf: (node: SnapshotNode) => GroupKey, nodes: Iterable<SnapshotNode> = []) {
    this.#keyOf = keyOf;
    for (const node of nodes) this.put(node);
  }

  /** Nodes in all. */
  get size(): number {
    return this.#groupOf.size;
  }

  /** In an order that depends only on what happened before. */
  get groups(): readonly NodeGroup[] {
    return this.#list;
  }

  group(key: GroupKey): NodeGroup | undefined {
    return this.#byKey.get(key);
  }

  node(id: string): SnapshotNode | undefined {
    return this.#groupOf.get(id)?.nodes.get(id);
  }

  keyOf(node: SnapshotNode): GroupKey {
    return this.#keyOf(node);
  }

  /** Adds a node, or puts it where it belongs now. */
  put(node: SnapshotNode): void {
    const group = this.#groupFor(this.#keyOf(node));
    const before = this.#groupOf.get(node.id);
    group.nodes.set(node.id, node);
    group.size = group.nodes.size;
    this.#groupOf.set(node.id, group);
    if (before && before !== group) this.#leave(before, node.id);
  }

  remove(id: string): void {
    const group = this.#groupOf.get(id);
    if (!group) return;
    this.#groupOf.delete(id);
    this.#leave(group, id);
  }

  #leave(group: Group, id: string): void {
    group.nodes.delete(id);
    group.size = group.nodes.size;
    if (group.size > 0) return;
    this.#byKey.delete(group.key);
    const last = present(this.#list.pop(), 'a group');
    if (last === group) return;
    this.#list[group.at] = last;
    last.at = group.at;
  }

  #groupFor(key: GroupKey): Group {
    const known = this.#byKey.get(key);
    if (known) return known;
    const group = { key, nodes: new Map(), size: 0, at: this.#list.length };
    this.#list.push(group);
    this.#byKey.set(key, group);
    return group;
  }
}
