import type { NodeInventory } from '@clawbernetes/protocol';
import type { NodePresence, NodeRecord } from '../records.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { NodeClasses, nodeClassFacts, type NodeClass } from '../scheduler/topology/node-class.ts';
import type { WorkloadTable } from '../workload/workload-table.ts';
import { emptyNode, snapshotNode } from './snapshot-node.ts';

const NONE: ReadonlySet<string> = new Set();

/**
 * Nodes in memory: stored record, presence, and the scheduler's view of each, rebuilt only after a change.
 */
export class NodeTable {
  readonly #workloads: WorkloadTable;
  readonly #nodes = new Map<string, NodeRecord>();
  readonly #presence = new Map<string, NodePresence>();
  readonly #cleaning = new Map<string, ReadonlySet<string>>();
  /** What the views of a node are made from; lasts as long as nothing but placements changes. */
  readonly #empty = new Map<string, SnapshotNode>();
  readonly #views = new Map<string, SnapshotNode>();
  readonly #byName = new Map<string, string>();
  readonly #classes = new NodeClasses();
  readonly #classOf = new WeakMap<NodeInventory, NodeClass>();
  #touched = new Set<string>();
  #version = 0;

  constructor(workloads: WorkloadTable) {
    this.#workloads = workloads;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Nodes of the fleet whose lease has not expired. */
  get reachable(): number {
    let count = 0;
    for (const { id, approved, eligibility } of this.#nodes.values()) {
      const connectivity = this.#presence.get(id)?.connectivity;
      const holdsLease = connectivity === 'connected' || connectivity === 'suspect';
      if (approved && eligibility !== 'retired' && holdsLease) count += 1;
    }
    return count;
  }

  /** Rises with every change that the scheduler could see. */
  get version(): number {
    return this.#version;
  }

  nodes(): MapIterator<NodeRecord> {
    return this.#nodes.values();
  }

  node(id: string): NodeRecord | undefined {
    return this.#nodes.get(id);
  }

  named(name: string): NodeRecord | undefined {
    const id = this.#byName.get(name);
    return id === undefined ? undefined : this.#nodes.get(id);
  }

  presence(id: string): NodePresence | undefined {
    return this.#presence.get(id);
  }

  put(node: NodeRecord): void {
    const before = this.#nodes.get(node.id);
    if (before && before.name !== node.name) this.#byName.delete(before.name);
    this.#nodes.set(node.id, node);
    this.#byName.set(node.name, node.id);
    this.#rebuild(node.id);
  }

  setPresence(id: string, presence: NodePresence): void {
    const before = this.#presence.get(id);
    if (before?.connectivity !== presence.connectivity || before.reconciled !== presence.reconciled)
      this.#rebuild(id);
    this.#presence.set(id, presence);
  }

  /** GPUs whose last work has ended and whose memory is not back yet. */
  cleaning(id: string): ReadonlySet<string> {
    return this.#cleaning.get(id) ?? NONE;
  }

  setCleaning(id: string, gpus: ReadonlySet<string>): void {
    if (gpus.size > 0) this.#cleaning.set(id, gpus);
    else this.#cleaning.delete(id);
    this.#rebuild(id);
  }

  /** The node's free resources changed. */
  touch(id: string): void {
    this.#version += 1;
    this.#touched.add(id);
    this.#views.delete(id);
  }

  /**
   * Nodes that changed since this was asked last: the scheduler's view of each, undefined if it may have
   * none.
   */
  takeTouched(): readonly { readonly id: string; readonly view: SnapshotNode | undefined }[] {
    const ids = this.#touched;
    this.#touched = new Set();
    return Array.from(ids, (id) => {
      const node = this.#nodes.get(id);
      return { id, view: node && isInFleet(node) ? this.view(node) : undefined };
    });
  }

  view(node: NodeRecord): SnapshotNode {
    const cached = this.#views.get(node.id);
    if (cached) return cached;
    const view = snapshotNode(this.#emptyOf(node), this.#workloads.liveOn(node.id));
    this.#views.set(node.id, view);
    return view;
  }

  /** A placement has changed the node into this view; saves making it from all that runs there. */
  placed(view: SnapshotNode): void {
    this.touch(view.id);
    if (!view.isMasked) this.#views.set(view.id, view);
  }

  #emptyOf(node: NodeRecord): SnapshotNode {
    const known = this.#empty.get(node.id);
    if (known) return known;
    const empty = emptyNode(node, {
      presence: this.#presence.get(node.id),
      cleaning: this.cleaning(node.id),
      gpuClass: this.#gpuClass(node),
    });
    this.#empty.set(node.id, empty);
    return empty;
  }

  #gpuClass({ inventory }: NodeRecord): NodeClass {
    const gpuClass = this.#classOf.get(inventory) ?? this.#classes.of(nodeClassFacts(inventory));
    this.#classOf.set(inventory, gpuClass);
    return gpuClass;
  }

  #rebuild(id: string): void {
    this.#empty.delete(id);
    this.touch(id);
  }

  /** Approved nodes as the scheduler sees them: all of them, or those of `ids`. */
  snapshot(ids?: Iterable<string>): readonly SnapshotNode[] {
    const views: SnapshotNode[] = [];
    const some = ids && Array.from(ids).flatMap((id) => this.#nodes.get(id) ?? []);
    for (const node of some ?? this.#nodes.values()) if (isInFleet(node)) views.push(this.view(node));
    return views;
  }

  /** Names of nodes that wait for approval. */
  unapproved(): readonly string[] {
    return [...this.#nodes.values()].filter(waitsForApproval).map((node) => node.name);
  }
}

function isInFleet({ approved, eligibility }: NodeRecord): boolean {
  return approved && eligibility !== 'retired';
}

export function waitsForApproval({ approved, eligibility }: NodeRecord): boolean {
  return !approved && eligibility !== 'retired';
}
