import { present } from '@clawbernetes/kernel';
import type { SnapshotNode } from './snapshot.ts';

/** Nodes that are alike for whoever looks for a place, except for their names. */
export interface NodeGroup {
  readonly key: string;
  /** By id, in the order in which they became like this; one at least. */
  readonly nodes: ReadonlyMap<string, SnapshotNode>;
}

/**
 * The nodes of a fleet by likeness. A fleet has far fewer groups than nodes, so that a search looks at the
 * groups; a change of one node costs the same in a fleet of any size.
 */
export class NodeGroups {
  readonly #keyOf: (node: SnapshotNode) => string;
  readonly #groups = new Map<string, { readonly key: string; readonly nodes: Map<string, SnapshotNode> }>();
  readonly #groupOf = new Map<string, string>();

  /** @param keyOf equal for nodes that are alike. */
  constructor(keyOf: (node: SnapshotNode) => string, nodes: Iterable<SnapshotNode> = []) {
    this.#keyOf = keyOf;
    for (const node of nodes) this.put(node);
  }

  /** Nodes in all. */
  get size(): number {
    return this.#groupOf.size;
  }

  get groupCount(): number {
    return this.#groups.size;
  }

  values(): MapIterator<NodeGroup> {
    return this.#groups.values();
  }

  group(key: string): NodeGroup | undefined {
    return this.#groups.get(key);
  }

  node(id: string): SnapshotNode | undefined {
    const key = this.#groupOf.get(id);
    return key === undefined ? undefined : this.#groups.get(key)?.nodes.get(id);
  }

  keyOf(node: SnapshotNode): string {
    return this.#keyOf(node);
  }

  /** Adds a node, or puts it where it belongs now. */
  put(node: SnapshotNode): void {
    const key = this.#keyOf(node);
    if (this.#groupOf.get(node.id) !== key) this.remove(node.id);
    this.#groupOf.set(node.id, key);
    const group = this.#groups.get(key);
    if (group) group.nodes.set(node.id, node);
    else this.#groups.set(key, { key, nodes: new Map([[node.id, node]]) });
  }

  remove(id: string): void {
    const key = this.#groupOf.get(id);
    if (key === undefined) return;
    this.#groupOf.delete(id);
    const { nodes } = present(this.#groups.get(key), 'the group of a node');
    nodes.delete(id);
    if (nodes.size === 0) this.#groups.delete(key);
  }
}
