import { canonicalJson } from '@clawbernetes/kernel';
import type { ObstacleCode } from '@clawbernetes/protocol';
import { WHOLE_GPU, type Demand } from '../cluster/demand.ts';
import { stateKey, type NodeState } from '../cluster/node-state.ts';
import { fitOf, neverFits } from '../fit.ts';
import { NodeGroups } from '../node-groups.ts';
import { shapeKey, type Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';
import { refusalOf } from '../why/refusal-counts.ts';
import { PackingScorer, type PackedKind, type StateCount } from './packing-scorer.ts';

/** Kinds that are remembered, and states of nodes for each; more are forgotten all at once. */
const MAX_KINDS = 1024;
const MAX_STATES = 16_384;
/** How kinds stand with groups, of all kinds together: some 40 MiB. */
const MAX_STANDINGS = 200_000;
/** Costs are computed anew after so many arrivals for every ten that there are of them. */
const ARRIVALS_PER_TEN_COSTS = 2;
const MAX_STALE_ARRIVALS = 5000;
/**
 * Profiles of nodes; in a fleet with more of them each node beyond is a group by itself, scored as the first.
 */
const MAX_PROFILES = 10_000;

interface KnownNode {
  readonly state: NodeState;
  /** Of the state. */
  readonly key: string;
  readonly groupKey: string;
}

interface Profile {
  readonly number: number;
  /** Whether all nodes of this number are of it. */
  readonly isExact: boolean;
  /** Whether its GPUs are alike, so that it does not matter which of them are free. */
  readonly isUniform: boolean;
}

interface FleetKind extends PackedKind {
  /** Losses by state of the node, as of `version`. */
  losses: Map<string, number>;
  version: number;
  /** By group of nodes. */
  readonly standings: Map<string, Standing & { readonly version: number }>;
}

/** How a shape fares on a node now. */
export interface Standing {
  /** Why it has no place there. */
  readonly refusal?: ObstacleCode;
  /** Of its place. */
  readonly cost: number;
}

/** Scores nodes of the fleet by what placing a workload on them costs the others (see PackingScorer). */
export class FleetPacking {
  readonly #scorer = new PackingScorer<FleetKind>();
  readonly #kinds = new Map<string, FleetKind>();
  readonly #kindOf = new WeakMap<Shape, FleetKind>();
  readonly #profiles = new Map<string, number>();
  /** By the empty node. */
  readonly #profileOf = new WeakMap<SnapshotNode, Profile>();
  /** A node of each profile, which stands for all. */
  readonly #examples: SnapshotNode[] = [];
  /** A view of a node is never changed, so what follows from it holds as long as it does. */
  readonly #known = new WeakMap<SnapshotNode, KnownNode>();
  /** Learnt since they were forgotten last. */
  #standings = 0;

  /** A workload of this shape asks for a place. */
  arrived(shape: Shape): void {
    this.#scorer.arrived(this.#kind(shape));
  }

  /** Equal for nodes that are alike for every shape, but for their names. */
  readonly groupKey = (node: SnapshotNode): string => this.#stateOf(node).groupKey;

  /**
   * Takes account of what has arrived, if that is much by now; before a plan. @param fleet all nodes of it.
   */
  refresh(fleet: NodeGroups | readonly SnapshotNode[]): void {
    const groups = fleet instanceof NodeGroups ? fleet : new NodeGroups(this.groupKey, fleet);
    const costs = groups.groupCount * this.#kinds.size;
    const stale = Math.min(MAX_STALE_ARRIVALS, (costs / 10) * ARRIVALS_PER_TEN_COSTS);
    this.#scorer.refresh(this.#states(groups), stale);
  }

  /** How a shape fares on a node. */
  standing(node: SnapshotNode, shape: Shape): Standing {
    const { misfit, hasRoom, surcharge } = fitOf(node, shape);
    if (!hasRoom) return { refusal: refusalOf(node, shape, misfit), cost: 0 };
    return { cost: this.loss(node, shape) + surcharge };
  }

  /** The same for a shape that names no node, remembered for all nodes that are alike. */
  learnStanding(node: SnapshotNode, shape: Shape): Standing {
    const { standings } = this.#kind(shape);
    if (this.#standings >= MAX_STANDINGS) this.#forgetStandings();
    if (standings.size >= MAX_STATES) standings.clear();
    this.#standings += 1;
    const standing = { ...this.standing(node, shape), version: this.#scorer.version };
    standings.set(this.groupKey(node), standing);
    return standing;
  }

  /** Tells by its key what was learnt of a group, if it still holds; of use until the next `refresh`. */
  knownStandings(shape: Shape): (groupKey: string) => Standing | undefined {
    const { standings } = this.#kind(shape);
    const { version } = this.#scorer;
    return (groupKey) => {
      const known = standings.get(groupKey);
      return known?.refusal !== undefined || known?.version === version ? known : undefined;
    };
  }

  /** What it costs the fleet to place a shape on a node that it fits. */
  loss(node: SnapshotNode, shape: Shape): number {
    const { state, key } = this.#stateOf(node);
    const kind = this.#kind(shape);
    const { version } = this.#scorer;
    if (kind.version !== version || kind.losses.size >= MAX_STATES) kind.losses = new Map();
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

  #forgetStandings(): void {
    for (const { standings } of this.#kinds.values()) standings.clear();
    this.#standings = 0;
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
    if (this.#kinds.size >= MAX_KINDS) {
      this.#forgetStandings();
      this.#kinds.clear();
    }
    const kind = {
      key,
      demand: demandOf(shape),
      suits,
      losses: new Map(),
      version: -1,
      standings: new Map(),
    };
    this.#kinds.set(key, kind);
    return kind;
  }

  #stateOf(node: SnapshotNode): KnownNode {
    const known = this.#known.get(node);
    if (known) return known;
    const profile = this.#profile(node);
    const { cpuMilli, memoryMib } = node.free;
    const state = { cpuMilli, memoryMib, profile: profile.number, gpus: wholeFirst(node.gpus) };
    const key = stateKey(state);
    const which = profile.isUniform ? '' : ` ${node.gpus.map(freeShare).join(' ')}`;
    const only = profile.isExact ? '' : ` only ${node.id}`;
    const readiness = node.schedulable ? '' : ` ${node.unschedulableReason ?? 'not ready'}`;
    const entry = { state, key, groupKey: `${key}${which}${only}${readiness}` };
    this.#known.set(node, entry);
    return entry;
  }

  *#states(groups: NodeGroups): Generator<StateCount, void, undefined> {
    for (const { nodes } of groups.values()) {
      const [example] = nodes.values();
      if (example) yield { state: this.#stateOf(example).state, nodes: nodes.size };
    }
  }

  #profile(node: SnapshotNode): Profile {
    const { empty = node } = node;
    const known = this.#profileOf.get(empty) ?? this.#newProfile(empty);
    this.#profileOf.set(empty, known);
    return known;
  }

  #newProfile(node: SnapshotNode): Profile {
    const { [NODE_NAME_LABEL]: _name, ...labels } = node.labels;
    const gpus = node.gpus.map(({ model, memoryMib, usable }) => [model, memoryMib, usable]);
    const isUniform = new Set(gpus.map((gpu) => gpu.join())).size <= 1;
    const { capacity, sandboxed, taints = [] } = node;
    const executors = [...node.executors].toSorted();
    const key = canonicalJson({ labels, gpus, capacity, sandboxed, taints, executors });
    const known = this.#profiles.get(key);
    if (known !== undefined) return { number: known, isExact: true, isUniform };
    if (this.#profiles.size >= MAX_PROFILES) return { number: 0, isExact: false, isUniform };
    this.#profiles.set(key, this.#examples.length);
    return { number: this.#examples.push(node) - 1, isExact: true, isUniform };
  }
}

/** Shares that are free, the most first: whole GPUs, and those of which nothing is. */
function wholeFirst(gpus: readonly SnapshotGpu[]): readonly number[] {
  const shares = gpus.map(() => 0);
  let whole = 0;
  for (const gpu of gpus) {
    if (freeShare(gpu) === 0) continue;
    shares[whole] = WHOLE_GPU;
    whole += 1;
  }
  return shares;
}

function freeShare({ free, usable }: SnapshotGpu): number {
  return free && usable ? WHOLE_GPU : 0;
}

/** A shape that is bound to a node by name says nothing of nodes like it. */
function anywhere({ nodeId: _bound, ...shape }: Shape): Shape {
  const { [NODE_NAME_LABEL]: _name, ...nodeSelector } = shape.nodeSelector;
  return { ...shape, nodeSelector };
}

function demandOf({ cpuMilli, memoryMib, gpus }: Shape): Demand {
  return { cpuMilli, memoryMib, gpus, gpuMilli: gpus === 0 ? 0 : WHOLE_GPU };
}
