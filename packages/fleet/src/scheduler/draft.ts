import type { GroupKey, NodeGroups } from './node-groups.ts';
import type { SnapshotNode } from './snapshot.ts';

/** Nodes that are alike in a draft, one after the other; those that join later come at the end. */
export interface NodeQueue {
  readonly first: SnapshotNode | undefined;
  /** Goes on to the next one. */
  shift(): void;
}

export interface NodeChange {
  readonly before: SnapshotNode;
  readonly after: SnapshotNode;
}

/** The nodes as they are after the placements of a plan so far, over groups that it leaves as they are. */
export class Draft {
  readonly #groups: NodeGroups;
  readonly #moved = new Map<string, SnapshotNode>();
  /** By key of the group that they have become part of. */
  readonly #joined = new Map<GroupKey, SnapshotNode[]>();
  readonly #growth = new Map<GroupKey, number>();
  readonly #changes: NodeChange[] = [];

  constructor(groups: NodeGroups) {
    this.#groups = groups;
  }

  /** Nodes in all. */
  get size(): number {
    return this.#groups.size;
  }

  /** States that the nodes of the fleet are in, before any placement. */
  get groups(): number {
    return this.#groups.groups.length;
  }

  node(id: string): SnapshotNode | undefined {
    return this.#moved.get(id) ?? this.#groups.node(id);
  }

  /** Those that differ from the groups, as they are now. */
  moved(): MapIterator<SnapshotNode> {
    return this.#moved.values();
  }

  *nodes(): Generator<SnapshotNode, void, undefined> {
    for (const { nodes } of this.#groups.groups)
      for (const node of nodes.values()) yield this.#moved.get(node.id) ?? node;
  }

  /** Calls it for every group with nodes, and how many they are. */
  forEachGroup(visit: (key: GroupKey, size: number) => void): void {
    const isUnchanged = this.#growth.size === 0;
    for (const { key, size: staying } of this.#groups.groups) {
      const size = isUnchanged ? staying : staying + (this.#growth.get(key) ?? 0);
      if (size > 0) visit(key, size);
    }
    for (const key of this.#joined.keys()) {
      const size = this.#groups.group(key) ? 0 : (this.#growth.get(key) ?? 0);
      if (size > 0) visit(key, size);
    }
  }

  keyOf(node: SnapshotNode): GroupKey {
    return this.#groups.keyOf(node);
  }

  queueOf(key: GroupKey): NodeQueue {
    const staying = this.#groups.group(key)?.nodes.values();
    const joined = this.#joined.get(key) ?? [];
    this.#joined.set(key, joined);
    return new GroupQueue(staying, joined, (node) => (this.#moved.get(node.id) ?? node) === node);
  }

  /** In the order in which they were made. */
  get changes(): readonly NodeChange[] {
    return this.#changes;
  }

  /** A node as it is from now on. */
  replace(before: SnapshotNode, after: SnapshotNode): void {
    this.#changes.push({ before, after });
    const [from, to] = [this.keyOf(before), this.keyOf(after)];
    this.#moved.set(after.id, after);
    this.#growth.set(from, (this.#growth.get(from) ?? 0) - 1);
    this.#growth.set(to, (this.#growth.get(to) ?? 0) + 1);
    const joined = this.#joined.get(to);
    if (joined) joined.push(after);
    else this.#joined.set(to, [after]);
  }
}

class GroupQueue implements NodeQueue {
  readonly #staying: Iterator<SnapshotNode> | undefined;
  readonly #joined: readonly SnapshotNode[];
  readonly #isCurrent: (node: SnapshotNode) => boolean;
  #nextJoined = 0;
  #first: SnapshotNode | undefined;

  constructor(
    staying: Iterator<SnapshotNode> | undefined,
    joined: readonly SnapshotNode[],
    isCurrent: (node: SnapshotNode) => boolean,
  ) {
    this.#staying = staying;
    this.#joined = joined;
    this.#isCurrent = isCurrent;
  }

  get first(): SnapshotNode | undefined {
    while (this.#first === undefined || !this.#isCurrent(this.#first)) {
      this.#first = this.#next();
      if (this.#first === undefined) return undefined;
    }
    return this.#first;
  }

  shift(): void {
    this.#first = undefined;
  }

  #next(): SnapshotNode | undefined {
    const staying = this.#staying?.next();
    if (staying && staying.done !== true) return staying.value;
    const joined = this.#joined[this.#nextJoined];
    if (joined) this.#nextJoined += 1;
    return joined;
  }
}
