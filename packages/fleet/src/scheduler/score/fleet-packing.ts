import { canonicalJson } from '@clawbernetes/kernel';
import type { ObstacleCode } from '@clawbernetes/protocol';
import type { Demand } from '../cluster/demand.ts';
import { stateKey, type NodeState } from '../cluster/node-state.ts';
import { fitNow, fitOf, neverFits } from '../fit.ts';
import { milliOf, sharesFor } from '../gpu-fit.ts';
import { NodeGroups } from '../node-groups.ts';
import { shapeKey, type Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';
import { refusalOf } from '../why/refusal-counts.ts';
import { PackingScorer, type PackedKind, type PackingCost, type StateCount } from './packing-scorer.ts';

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
  /** Whether its GPUs are alike and alike joined, so that it does not matter which of them are free. */
  readonly isUniform: boolean;
}

interface FleetKind extends PackedKind {
  /** By state of the node, as of `version`. */
  costs: Map<string, PackingCost>;
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
    return this.#cost(node, shape).loss;
  }

  /** Which GPUs of a node that it fits a shape is given. */
  devices(node: SnapshotNode, shape: Shape): readonly string[] | undefined {
    return shape.gpuMilli === undefined
      ? fitNow(node, shape)
      : fitNow(node, shape, this.#cost(node, shape).from);
  }

  #cost(node: SnapshotNode, shape: Shape): PackingCost {
    const { state, key, groupKey } = this.#stateOf(node);
    const kind = this.#kind(shape);
    const { version } = this.#scorer;
    if (kind.version !== version || kind.costs.size >= MAX_STATES) kind.costs = new Map();
    kind.version = version;
    // Where GPUs differ a share may come from some only.
    const isPicky = shape.gpuMilli !== undefined && !this.#profile(node).isUniform;
    const known = kind.costs.get(isPicky ? groupKey : key);
    if (known !== undefined) return known;
    const cost = this.#scorer.cost(state, kind.demand, isPicky ? sharesFor(node, shape) : undefined);
    kind.costs.set(isPicky ? groupKey : key, cost);
    return cost;
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
      costs: new Map(),
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
    const state = { cpuMilli, memoryMib, profile: profile.number, gpus: sharesOf(node.gpus) };
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
    const gpus = node.gpus.map(({ model, memoryMib, usable, migProfile = '' }) => [
      ...[model, memoryMib, usable, migProfile],
    ]);
    const areAlike = new Set(gpus.map((gpu) => gpu.join())).size <= 1;
    const isUniform = areAlike && node.gpuClass?.isEvenlyLinked !== false;
    const { capacity, sandboxed, taints = [], gpuClass } = node;
    const executors = [...node.executors].toSorted();
    const links = gpuClass?.hash ?? '';
    const key = canonicalJson({ labels, gpus, links, capacity, sandboxed, taints, executors });
    const known = this.#profiles.get(key);
    if (known !== undefined) return { number: known, isExact: true, isUniform };
    if (this.#profiles.size >= MAX_PROFILES) return { number: 0, isExact: false, isUniform };
    this.#profiles.set(key, this.#examples.length);
    return { number: this.#examples.push(node) - 1, isExact: true, isUniform };
  }
}

/** Thousandths that are free of GPUs, the most first. */
function sharesOf(gpus: readonly SnapshotGpu[]): readonly number[] {
  const shares = gpus.map((gpu) => (gpu.migProfile === undefined ? freeShare(gpu) : 0));
  return shares.toSorted((left, right) => right - left);
}

function freeShare({ freeMilli, usable }: SnapshotGpu): number {
  return usable ? freeMilli : 0;
}

/** A shape that is bound to a node by name says nothing of nodes like it. */
function anywhere({ nodeId: _bound, ...shape }: Shape): Shape {
  const { [NODE_NAME_LABEL]: _name, ...nodeSelector } = shape.nodeSelector;
  return { ...shape, nodeSelector };
}

/** MIG instances are of no use for anything else: taking one costs the others CPU and memory only. */
function demandOf(shape: Shape): Demand {
  const { cpuMilli, memoryMib, gpus, migProfile } = shape;
  if (gpus === 0 || migProfile !== undefined) return { cpuMilli, memoryMib, gpus: 0, gpuMilli: 0 };
  return { cpuMilli, memoryMib, gpus, gpuMilli: milliOf(shape) };
}
