import { BinaryHeap, present } from '@clawbernetes/kernel';
import type { Draft, NodeQueue } from './draft.ts';
import { afterPlacement, type Placement, type PlacementTrace } from './placement.ts';
import type { Shape } from './resources.ts';
import type { FleetPacking, Standing } from './score/fleet-packing.ts';
import { NODE_NAME_LABEL, type SnapshotNode } from './snapshot.ts';
import { RefusalCounts } from './why/refusal-counts.ts';

/** Nodes that have room and cost the same. */
interface Candidate {
  /** Of the group or the node. */
  readonly key: string;
  /** Absent until it is the cheapest for the first time. */
  queue?: NodeQueue;
  readonly index: number;
  readonly cost: number;
  /** Whether the heap holds it. */
  isWaiting: boolean;
}

/**
 * The nodes that may take one shape. Those that are alike are looked at as one, but for a shape that names
 * nodes or may only go to some.
 */
export class Candidates {
  readonly #draft: Draft;
  readonly #shape: Shape;
  readonly #packing: FleetPacking;
  readonly #knownStanding: (groupKey: string) => Standing | undefined;
  readonly #isSingly: boolean;
  readonly #refusals = new RefusalCounts();
  readonly #looked: Pick<PlacementTrace, 'nodes' | 'retried'>;
  /** Groups with room, by key. */
  readonly #known = new Map<string, Candidate>();
  /** The cheapest first, the first of equals. */
  readonly #able = new BinaryHeap<Candidate>((left, right) =>
    left.cost === right.cost ? left.index < right.index : left.cost < right.cost,
  );
  #offered = 0;
  /** Nodes with room. */
  #room = 0;

  /** @param nodeIds the only nodes to look at; absent = all. */
  constructor(draft: Draft, shape: Shape, packing: FleetPacking, nodeIds: ReadonlySet<string> | undefined) {
    this.#draft = draft;
    this.#shape = shape;
    this.#packing = packing;
    this.#knownStanding = packing.knownStandings(shape);
    this.#isSingly = nodeIds !== undefined || namesNodes(shape);
    if (nodeIds) for (const id of nodeIds) this.#offerNode(draft.node(id));
    else if (this.#isSingly) for (const node of draft.nodes()) this.#offerNode(node);
    else for (const key of draft.keys()) this.#offerGroup(key, draft.sizeOf(key));
    this.#looked = nodeIds ? { nodes: nodeIds.size, retried: true } : { nodes: draft.size };
  }

  /** Where it costs least; undefined if it fits nowhere. */
  place(workloadId: string): Placement | undefined {
    const cheapest = this.#first();
    if (!cheapest) return undefined;
    const queue = this.#queueOf(cheapest);
    const node = present(queue.first, 'a node of a candidate');
    queue.shift();
    const shape = this.#shape;
    const devices = present(this.#packing.devices(node, shape), 'the fit of a candidate');
    const after = afterPlacement(node, shape, devices);
    const { cost } = cheapest;
    const trace = { ...this.#looked, candidates: this.#room, cost, ...this.#rest() };
    this.#replace(node, after);
    return { workloadId, nodeId: node.id, devices, shape, trace, before: node, after };
  }

  /** The cheapest that has nodes left. */
  #first(): Candidate | undefined {
    for (let { first } = this.#able; first; first = this.#able.first) {
      if (this.#queueOf(first).first) return first;
      this.#able.pop();
      first.isWaiting = false;
    }
    return undefined;
  }

  /** What the node that was just taken was chosen over. */
  #rest(): Pick<PlacementTrace, 'runnerUp' | 'runnerUpCost' | 'others'> {
    const next = this.#first();
    const runnerUp = next && this.#queueOf(next).first;
    const { text } = this.#refusals;
    return {
      ...(next && runnerUp ? { runnerUp: runnerUp.id, runnerUpCost: next.cost } : {}),
      ...(text === '' ? {} : { others: text }),
    };
  }

  #replace(node: SnapshotNode, after: SnapshotNode): void {
    this.#draft.replace(node, after);
    this.#room -= 1;
    if (this.#isSingly) this.#offerNode(after);
    else this.#offerGroup(this.#draft.keyOf(after), 1);
  }

  #queueOf(candidate: Candidate): NodeQueue {
    candidate.queue ??= this.#draft.queueOf(candidate.key);
    return candidate.queue;
  }

  #offerNode(node: SnapshotNode | undefined): void {
    if (!node) return;
    const candidate = this.#offer(node.id, 1, this.#packing.standing(node, this.#shape));
    if (candidate) candidate.queue = new SingleNode(node);
  }

  /** So many nodes have become part of a group. */
  #offerGroup(key: string, size: number): void {
    if (size === 0) return;
    const candidate = this.#known.get(key);
    if (candidate) {
      this.#room += size;
      if (!candidate.isWaiting) this.#able.push(candidate);
      candidate.isWaiting = true;
      return;
    }
    const offered = this.#offer(key, size, this.#standingOf(key));
    if (offered) this.#known.set(key, offered);
  }

  #standingOf(key: string): Standing {
    const known = this.#knownStanding(key);
    if (known) return known;
    const example = present(this.#draft.queueOf(key).first, 'a node of a group');
    return this.#packing.learnStanding(example, this.#shape);
  }

  #offer(key: string, size: number, { refusal, cost }: Standing): Candidate | undefined {
    if (refusal !== undefined) {
      this.#refusals.add(refusal, size);
      return undefined;
    }
    const candidate: Candidate = { key, index: this.#offered, cost, isWaiting: true };
    this.#offered += 1;
    this.#room += size;
    this.#able.push(candidate);
    return candidate;
  }
}

/** Whether nodes that are alike but for their names may differ to it. */
function namesNodes({ nodeId, nodeSelector, affinity }: Shape): boolean {
  if (nodeId !== undefined || Object.hasOwn(nodeSelector, NODE_NAME_LABEL)) return true;
  const terms = affinity ? [...affinity.required, ...affinity.preferred] : [];
  return terms.some(({ label }) => label === NODE_NAME_LABEL);
}

/** A node by itself; once placed on, it is offered anew. */
class SingleNode implements NodeQueue {
  first: SnapshotNode | undefined;

  constructor(node: SnapshotNode) {
    this.first = node;
  }

  shift(): void {
    this.first = undefined;
  }
}
