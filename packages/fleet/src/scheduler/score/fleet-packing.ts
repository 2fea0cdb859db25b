import { canonicalJson } from '@clawbernetes/kernel';
import { WHOLE_GPU, type Demand } from '../cluster/demand.ts';
import { stateKey, type NodeState } from '../cluster/node-state.ts';
import { neverFits } from '../fit.ts';
import { shapeKey, type Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotNode } from '../snapshot.ts';
import { PackingScorer, type PackedKind, type StateCount } from './packing-scorer.ts';

/** Kinds that are remembered, and losses of each; more are forgotten all at once. */
const MAX_KINDS = 1024;
const MAX_LOSSES = 65_536;
/** Profiles of nodes; a fleet with more of them is scored as if those beyond were like the first. */
const MAX_PROFILES = 10_000;

interface FleetKind extends PackedKind {
  /** Losses by state of the node, as of `version`. */
  losses: Map<string, number>;
  version: number;
}

/** Scores nodes of the fleet by what placing a workload on them costs the others (see PackingScorer). */
export class FleetPacking {
  readonly #scorer = new PackingScorer<FleetKind>();
  readonly #kinds = new Map<string, FleetKind>();
  readonly #kindOf = new WeakMap<Shape, FleetKind>();
  readonly #profiles = new Map<string, number>();
  /** By the empty node. */
  readonly #profileOf = new WeakMap<SnapshotNode, number>();
  /** A node of each profile, which stands for all. */
  readonly #examples: SnapshotNode[] = [];
  /** A view of a node is never changed, so what follows from it holds as long as it does. */
  readonly #known = new WeakMap<SnapshotNode, { readonly state: NodeState; readonly key: string }>();

  /** A workload of this shape asks for a place. */
  arrived(shape: Shape): void {
    this.#scorer.arrived(this.#kind(shape));
  }

  /**
   * Takes account of what has arrived, if that is much by now; before a plan. @param nodes all of the fleet.
   */
  refresh(nodes: readonly SnapshotNode[]): void {
    this.#scorer.refresh(this.#states(nodes));
  }

  /** What it costs the fleet to place a shape on a node that it fits. */
  loss(node: SnapshotNode, shape: Shape): number {
    const { state, key } = this.#stateOf(node);
    const kind = this.#kind(shape);
    const { version } = this.#scorer;
    if (kind.version !== version || kind.losses.size >= MAX_LOSSES) kind.losses = new Map();
    kind.version = version;
    const known = kind.losses.get(key);
    if (known !== undefined) return known;
    const { loss } = this.#scorer.cost(state, kind.demand);
    kind.losses.set(key, loss);
    return loss;
  }

  #kind(shape: Shape): FleetKind {
    const seen = this.#kindOf.get(shape);
    if (seen) return seen;
    const key = shapeKey(shape);
    const kind = this.#kinds.get(key) ?? this.#newKind(key, shape);
    this.#kindOf.set(shape, kind);
    return kind;
  }

  #newKind(key: string, shape: Shape): FleetKind {
    const suited = new Map<number, boolean>();
    const suits = (profile: number): boolean => {
      const [example, cached] = [this.#examples[profile], suited.get(profile)];
      if (cached !== undefined || !example) return cached ?? false;
      const fits = neverFits(example, anywhere(shape)) === undefined;
      suited.set(profile, fits);
      return fits;
    };
    if (this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    const kind = { key, demand: demandOf(shape), suits, losses: new Map(), version: -1 };
    this.#kinds.set(key, kind);
    return kind;
  }

  #stateOf(node: SnapshotNode): { readonly state: NodeState; readonly key: string } {
    const known = this.#known.get(node);
    if (known) return known;
    const shares = node.gpus.map((gpu) => (gpu.free && gpu.usable ? WHOLE_GPU : 0));
    const gpus = shares.toSorted((left, right) => right - left);
    const state = { ...node.free, profile: this.#profile(node), gpus };
    const entry = { state, key: stateKey(state) };
    this.#known.set(node, entry);
    return entry;
  }

  *#states(nodes: readonly SnapshotNode[]): Generator<StateCount, void, undefined> {
    for (const node of nodes) yield { state: this.#stateOf(node).state, nodes: 1 };
  }

  #profile(node: SnapshotNode): number {
    const { empty = node } = node;
    const known = this.#profileOf.get(empty) ?? this.#newProfile(empty);
    this.#profileOf.set(empty, known);
    return known;
  }

  #newProfile(node: SnapshotNode): number {
    const { [NODE_NAME_LABEL]: _name, ...labels } = node.labels;
    const gpus = node.gpus.map(({ model, memoryMib, usable }) => [model, memoryMib, usable]);
    const { capacity, sandboxed, taints = [] } = node;
    const executors = [...node.executors].toSorted();
    const key = canonicalJson({ labels, gpus, capacity, sandboxed, taints, executors });
    const known = this.#profiles.get(key);
    if (known !== undefined) return known;
    if (this.#profiles.size >= MAX_PROFILES) return 0;
    this.#profiles.set(key, this.#examples.length);
    return this.#examples.push(node) - 1;
  }
}

/** A shape that is bound to a node by name says nothing of nodes like it. */
function anywhere({ nodeId: _bound, ...shape }: Shape): Shape {
  const { [NODE_NAME_LABEL]: _name, ...nodeSelector } = shape.nodeSelector;
  return { ...shape, nodeSelector };
}

function demandOf({ cpuMilli, memoryMib, gpus }: Shape): Demand {
  return { cpuMilli, memoryMib, gpus, gpuMilli: gpus === 0 ? 0 : WHOLE_GPU };
}
