import { canonicalJson, present } from '@clawbernetes/kernel';
import type { Demand } from '../cluster/demand.ts';
import { hasRoom, stateKey, type NodeState } from '../cluster/node-state.ts';
import { fitNow, hasRoomNow, neverFits, surcharge, type Misfit } from '../fit.ts';
import { milliOf, sharesFor } from '../gpu-fit.ts';
import { NodeGroups, type GroupKey } from '../node-groups.ts';
import { namesNodes, shapeKey, type Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';
import { refusalOf } from '../why/refusal-counts.ts';
import { PackingScorer, type PackedKind, type PackingCost, type StateCount } from './packing-scorer.ts';
import { StandingTable, type Standing } from './standing-table.ts';

/** Kinds that are remembered, and groups of nodes for each; more are forgotten all at once. */
const MAX_KINDS = 1024;
const MAX_STATES = 16_384;
/** Groups whose numbers are remembered; what comes back after it was forgotten is another group. */
const MAX_GROUPS = 100_000;
/** Costs are computed anew after so many arrivals for every ten that there are of them. */
const ARRIVALS_PER_TEN_COSTS = 2;
const MAX_STALE_ARRIVALS = 5000;
/**
 * Profiles of nodes; in a fleet with more of them each node beyond is a group by itself, scored as the first.
 */
const MAX_PROFILES = 10_000;

interface KnownNode {
  readonly state: NodeState;
  readonly groupKey: GroupKey;
  readonly profile: Profile;
}

interface Profile {
  readonly number: number;
  /** Whether all nodes of this number are of it. */
  readonly isExact: boolean;
  /** Whether its GPUs are alike and alike joined, so that it does not matter which of them are free. */
  readonly isUniform: boolean;
}

interface FleetKind extends PackedKind {
  /** By group of nodes; costs as of `version`. */
  readonly standings: StandingTable;
  version: number;
  /** Whether nodes that are alike but for their names may differ to it. */
  readonly namesNodes: boolean;
  /** Why nodes of a profile could not take it if they were empty, the name that it may ask for aside. */
  misfit(profile: number): Misfit | undefined;
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
  readonly #groupNumbers = new Map<string, GroupKey>();
  #nextGroup = 0;

  /** A workload of this shape asks for a place. */
  arrived(shape: Shape): void {
    this.#scorer.arrived(this.#kind(shape));
  }

  /** Equal for nodes that are alike for every shape, but for their names. */
  readonly groupKey = (node: SnapshotNode): GroupKey => this.#stateOf(node).groupKey;

  /**
   * Takes account of what has arrived, if that is much by now; before a plan. @param fleet all nodes of it.
   */
  refresh(fleet: NodeGroups | readonly SnapshotNode[]): void {
    const groups = fleet instanceof NodeGroups ? fleet : new NodeGroups(this.groupKey, fleet);
    const costs = groups.groups.length * this.#kinds.size;
    const stale = Math.min(MAX_STALE_ARRIVALS, (costs / 10) * ARRIVALS_PER_TEN_COSTS);
    this.#scorer.refresh(this.#states(groups), stale);
  }

  /** How a shape fares on a node. */
  standing(node: SnapshotNode, shape: Shape): Standing {
    const known = this.#stateOf(node);
    const kind = this.#kind(shape);
    const { number, isExact, isUniform } = known.profile;
    const misfit = kind.namesNodes || !isExact ? neverFits(node, shape) : kind.misfit(number);
    // Where all GPUs are alike, what is free of them says it all.
    const isPlain = isUniform && shape.nvlink === undefined && shape.migProfile === undefined;
    const fits = isPlain ? hasRoom(known.state, kind.demand) : hasRoomNow(node, shape);
    if (misfit !== undefined || !node.schedulable || !fits)
      return { refusal: refusalOf(node, shape, misfit), cost: 0 };
    return { refusal: undefined, cost: this.#cost(node, shape).loss + surcharge(node, shape) };
  }

  /**
   * What is known of how a shape that names no node fares on groups of nodes; for whoever asks to add to. Of
   * use until the next `refresh`.
   */
  standings(shape: Shape): StandingTable {
    const kind = this.#kind(shape);
    const { version } = this.#scorer;
    if (kind.standings.size >= MAX_STATES) kind.standings.clear();
    else if (kind.version !== version) kind.standings.forgetCosts();
    kind.version = version;
    return kind.standings;
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
    const { state, profile } = this.#stateOf(node);
    // Where GPUs differ a share may come from some only.
    const shares = shape.gpuMilli !== undefined && !profile.isUniform ? sharesFor(node, shape) : undefined;
    return this.#scorer.cost(state, this.#kind(shape).demand, shares);
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
    const unbound = anywhere(shape);
    const misfits = new Map<number, Misfit | undefined>();
    const misfit = (profile: number): Misfit | undefined => {
      const known = misfits.get(profile);
      if (known !== undefined || misfits.has(profile)) return known;
      const found = neverFits(present(this.#examples[profile], 'a node of a profile'), unbound);
      misfits.set(profile, found);
      return found;
    };
    if (this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    const kind = {
      key,
      demand: demandOf(shape),
      namesNodes: namesNodes(shape),
      misfit,
      standings: new StandingTable(),
      version: -1,
      suits: (profile: number) => misfit(profile) === undefined,
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
    const groupKey = this.#groupNumber(`${key}${which}${only}${readiness}`);
    const entry = { state, groupKey, profile };
    this.#known.set(node, entry);
    return entry;
  }

  #groupNumber(name: string): GroupKey {
    const known = this.#groupNumbers.get(name);
    if (known !== undefined) return known;
    if (this.#groupNumbers.size >= MAX_GROUPS) this.#groupNumbers.clear();
    this.#groupNumbers.set(name, this.#nextGroup);
    this.#nextGroup += 1;
    return this.#nextGroup - 1;
  }

  *#states(groups: NodeGroups): Generator<StateCount, void, undefined> {
    for (const { nodes } of groups.groups) {
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
