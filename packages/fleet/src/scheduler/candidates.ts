import { BinaryHeap, present } from '@clawbernetes/kernel';
import type { Draft, NodeQueue } from './draft.ts';
import type { GroupKey } from './node-groups.ts';
import { afterPlacement, type Placement, type PlacementTrace } from './placement.ts';
import { namesNodes, type Shape } from './resources.ts';
import { RoomBound } from './room-bound.ts';
import type { FleetPacking } from './score/fleet-packing.ts';
import type { Standing, StandingTable } from './score/standing-table.ts';
import type { SnapshotNode } from './snapshot.ts';
import { RefusalCounts } from './why/refusal-counts.ts';

/** Of a shape before any node is looked at, and of so many groups that are known, in looks. */
const LOOKS_OF_SHAPE = 2;
const KNOWN_GROUPS_PER_LOOK = 32;

/** Nodes that have room and cost the same. */
interface Candidate {
  /** Of the group or the node. */
  readonly key: GroupKey | string;
  /** Absent until it is the cheapest for the first time. */
  queue?: NodeQueue;
  readonly index: number;
  readonly cost: number;
  /** Whether it may still have nodes. */
  isWaiting: boolean;
}

/** The cheapest groups of nodes, of equals the first. */
interface Glance {
  best?: { readonly key: GroupKey; readonly cost: number };
  second?: { readonly key: GroupKey; readonly cost: number };
}

/**
 * The nodes that may take one shape. Those that are alike are looked at as one, but for a shape that names
 * nodes or may only go to some. The first place is found by a glance at all groups; only for a second one
 * they are put into an order.
 */
export class Candidates {
  readonly #draft: Draft;
  readonly #shape: Shape;
  readonly #packing: FleetPacking;
  #known: StandingTable | undefined;
  readonly #nodeIds: ReadonlySet<string> | undefined;
  readonly #isSingly: boolean;
  readonly #looked: Pick<PlacementTrace, 'nodes' | 'retried'>;
  #refusals = new RefusalCounts();
  /** The cheapest first, the first of equals. */
  readonly #byCost = new BinaryHeap<Candidate>((left, right) =>
    left.cost === right.cost ? left.index < right.index : left.cost < right.cost,
  );
  /** Groups or nodes with room. */
  readonly #byKey = new Map<GroupKey | string, Candidate>();
  #state: 'new' | 'glanced' | 'ordered' = 'new';
  /** Changes of the draft that are taken account of. */
  #seen = 0;
  #offered = 0;
  /** Nodes with room. */
  #room = 0;
  #looks = LOOKS_OF_SHAPE;

  /** @param nodeIds the only nodes to look at; absent = all. */
  constructor(draft: Draft, shape: Shape, packing: FleetPacking, nodeIds: ReadonlySet<string> | undefined) {
    this.#draft = draft;
    this.#shape = shape;
    this.#packing = packing;
    // Where many have changed it is less work to look at all of them by groups.
    this.#nodeIds = nodeIds && nodeIds.size <= draft.groups ? nodeIds : undefined;
    this.#isSingly = this.#nodeIds !== undefined || namesNodes(shape);
    this.#looked = this.#nodeIds ? { nodes: this.#nodeIds.size, retried: true } : { nodes: draft.size };
  }

  /** What the search has cost so far: see `WorkBudget`. */
  get looks(): number {
    return this.#looks;
  }

  get #standings(): StandingTable {
    return (this.#known ??= this.#packing.standings(this.#shape));
  }

  /** Where it costs least, after all that was placed before; undefined if it fits nowhere. */
  place(workloadId: string): Placement | undefined {
    if (this.#state === 'new' && this.#isHopeless()) return undefined;
    if (this.#state === 'new' && !this.#isSingly) return this.#placeAtAGlance(workloadId);
    if (this.#state === 'ordered') this.#catchUp();
    else this.#order();
    const cheapest = this.#first();
    if (!cheapest) return undefined;
    const queue = this.#queueOf(cheapest);
    const node = present(queue.first, 'a node of a candidate');
    queue.shift();
    const next = this.#first();
    const runnerUp = next && { node: this.#queueOf(next).first, cost: next.cost };
    return this.#placed(workloadId, node, cheapest.cost, runnerUp);
  }

  /** By numbers none of the only nodes has room: most that waits is told apart by that. */
  #isHopeless(): boolean {
    if (!this.#nodeIds) return false;
    this.#looks += this.#nodeIds.size / KNOWN_GROUPS_PER_LOOK;
    for (const id of this.#nodeIds) {
      const node = this.#draft.node(id);
      if (node && RoomBound.of(node).mayTake(this.#shape)) return false;
    }
    return true;
  }

  #placeAtAGlance(workloadId: string): Placement | undefined {
    this.#state = 'glanced';
    const { best, second } = this.#glance();
    if (!best) return undefined;
    const queue = this.#draft.queueOf(best.key);
    const node = present(queue.first, 'a node of a group');
    queue.shift();
    const alike = queue.first;
    const runnerUp = alike
      ? { node: alike, cost: best.cost }
      : second && { node: this.#draft.queueOf(second.key).first, cost: second.cost };
    return this.#placed(workloadId, node, best.cost, runnerUp);
  }

  #glance(): Glance {
    const glance: Glance = {};
    const standings = this.#standings;
    this.#looks += this.#draft.groups / KNOWN_GROUPS_PER_LOOK;
    this.#draft.forEachGroup((key, size) => {
      const place = this.#standingOf(standings, key);
      const refusal = standings.refusal(place);
      if (refusal !== undefined) return this.#refusals.add(refusal, size);
      const cost = standings.cost(place);
      this.#room += size;
      if (!glance.best || cost < glance.best.cost) {
        if (glance.best) glance.second = glance.best;
        glance.best = { key, cost };
      } else if (!glance.second || cost < glance.second.cost) glance.second = { key, cost };
    });
    return glance;
  }

  #placed(
    workloadId: string,
    node: SnapshotNode,
    cost: number,
    runnerUp: { readonly node: SnapshotNode | undefined; readonly cost: number } | undefined,
  ): Placement {
    const shape = this.#shape;
    const devices = present(this.#packing.devices(node, shape), 'the fit of a candidate');
    const after = afterPlacement(node, shape, devices);
    const { text } = this.#refusals;
    const trace = {
      ...this.#looked,
      candidates: this.#room,
      cost,
      ...(runnerUp?.node ? { runnerUp: runnerUp.node.id, runnerUpCost: runnerUp.cost } : {}),
      ...(text === '' ? {} : { others: text }),
    };
    this.#draft.replace(node, after);
    return { workloadId, nodeId: node.id, devices, shape, trace, before: node, after };
  }

  /** Puts all that have room as things are now into an order. */
  #order(): void {
    this.#state = 'ordered';
    this.#room = 0;
    this.#refusals = new RefusalCounts();
    this.#seen = this.#draft.changes.length;
    if (this.#nodeIds) for (const id of this.#nodeIds) this.#offerNode(this.#draft.node(id));
    else if (this.#isSingly) for (const node of this.#draft.nodes()) this.#offerNode(node);
    else this.#draft.forEachGroup((key, size) => this.#offerGroup(key, size));
  }

  /** Takes account of what was placed since, for this shape and for others. */
  #catchUp(): void {
    const { changes } = this.#draft;
    for (; this.#seen < changes.length; this.#seen += 1) {
      const { before, after } = present(changes[this.#seen], 'a change of the draft');
      this.#follow(before, after);
    }
  }

  /** What had no room has none after more was placed on it. */
  #follow(before: SnapshotNode, after: SnapshotNode): void {
    const was = this.#byKey.get(this.#isSingly ? before.id : this.#draft.keyOf(before));
    if (!was) return;
    this.#room -= 1;
    if (this.#isSingly) {
      was.queue?.shift();
      this.#byKey.delete(before.id);
      return this.#offerNode(after);
    }
    const key = this.#draft.keyOf(after);
    const known = this.#byKey.get(key);
    // By now it may be one of another group: then this one is empty, which nobody else can tell of.
    if (!known) return this.#offerGroup(key, 1, after);
    this.#room += 1;
    if (!known.isWaiting) this.#byCost.push(known);
    known.isWaiting = true;
  }

  /** The cheapest that has nodes left. */
  #first(): Candidate | undefined {
    for (let { first } = this.#byCost; first; first = this.#byCost.first) {
      if (this.#queueOf(first).first) return first;
      this.#byCost.pop();
      first.isWaiting = false;
    }
    return undefined;
  }

  #queueOf(candidate: Candidate): NodeQueue {
    const { key } = candidate;
    candidate.queue ??= typeof key === 'number' ? this.#draft.queueOf(key) : new SingleNode(undefined);
    return candidate.queue;
  }

  #offerNode(node: SnapshotNode | undefined): void {
    if (!node) return;
    this.#looks += 1;
    this.#offer(node.id, 1, this.#packing.standing(node, this.#shape), new SingleNode(node));
  }

  /** Its place in the table. */
  #standingOf(standings: StandingTable, key: GroupKey, node?: SnapshotNode): number {
    const known = standings.find(key);
    if (known >= 0) return known;
    this.#looks += 1;
    const example = node ?? present(this.#draft.queueOf(key).first, 'a node of a group');
    return standings.set(key, this.#packing.standing(example, this.#shape));
  }

  /** @param node one that is, or was, of the group. */
  #offerGroup(key: GroupKey, size: number, node?: SnapshotNode): void {
    const standings = this.#standings;
    const place = this.#standingOf(standings, key, node);
    const standing = { refusal: standings.refusal(place), cost: standings.cost(place) };
    this.#offer(key, size, standing);
  }

  #offer(key: GroupKey | string, size: number, { refusal, cost }: Standing, queue?: NodeQueue): void {
    if (refusal !== undefined) return this.#refusals.add(refusal, size);
    const candidate = { key, index: this.#offered, cost, isWaiting: true, ...(queue ? { queue } : {}) };
    this.#offered += 1;
    this.#room += size;
    this.#byKey.set(key, candidate);
    this.#byCost.push(candidate);
  }
}

/** A node by itself; once placed on, it is offered anew. */
class SingleNode implements NodeQueue {
  first: SnapshotNode | undefined;

  constructor(node: SnapshotNode | undefined) {
    this.first = node;
  }

  shift(): void {
    this.first = undefined;
  }
}
