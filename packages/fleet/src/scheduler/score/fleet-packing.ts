import type { Demand } from '../cluster/demand.ts';
import { hasRoom } from '../cluster/node-state.ts';
import { fitNow, hasRoomNow, neverFits, surcharge, type Misfit } from '../fit.ts';
import { milliOf, sharesFor } from '../gpu-fit.ts';
import { NodeGroups, type GroupKey } from '../node-groups.ts';
import { namesNodes, shapeKey, type Shape } from '../resources.ts';
import { NODE_NAME_LABEL, type SnapshotNode } from '../snapshot.ts';
import { refusalOf } from '../why/refusal-counts.ts';
import { NodeStates } from './node-states.ts';
import { PackingScorer, type PackedKind, type PackingCost, type StateCount } from './packing-scorer.ts';
import { StandingTable, type Standing } from './standing-table.ts';

/** Kinds that are remembered, and groups of nodes for each; more are forgotten all at once. */
const MAX_KINDS = 1024;
const MAX_STATES = 16_384;
/** Costs are computed anew after so many arrivals for every ten that there are of them. */
const ARRIVALS_PER_TEN_COSTS = 2;
const MAX_STALE_ARRIVALS = 5000;

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
  readonly #scorer: PackingScorer<FleetKind>;
  readonly #kinds = new Map<string, FleetKind>();
  readonly #kindOf = new WeakMap<Shape, FleetKind>();
  readonly #states: NodeStates;

  constructor(states = new NodeStates(), scorer = new PackingScorer<FleetKind>()) {
    this.#states = states;
    this.#scorer = scorer;
  }

  /** One that goes on to say what this one says now, whatever arrives here. */
  copy(): FleetPacking {
    return new FleetPacking(this.#states, this.#scorer.copy());
  }

  /** A workload of this shape asks for a place. */
  arrived(shape: Shape): void {
    this.#scorer.arrived(this.#kind(shape));
  }

  /** Equal for nodes that are alike for every shape, but for their names. */
  readonly groupKey = (node: SnapshotNode): GroupKey => this.#states.of(node).groupKey;

  /**
   * Takes account of what has arrived, if that is much by now; before a plan. @param fleet all nodes of it.
   */
  refresh(fleet: NodeGroups | readonly SnapshotNode[]): void {
    const groups = fleet instanceof NodeGroups ? fleet : new NodeGroups(this.groupKey, fleet);
    const costs = groups.groups.length * this.#kinds.size;
    const stale = Math.min(MAX_STALE_ARRIVALS, (costs / 10) * ARRIVALS_PER_TEN_COSTS);
    this.#scorer.refresh(this.#counts(groups), stale);
  }

  /** How a shape fares on a node. */
  standing(node: SnapshotNode, shape: Shape): Standing {
    const known = this.#states.of(node);
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
    const { state, profile } = this.#states.of(node);
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
      const found = neverFits(this.#states.example(profile), unbound);
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

  *#counts(groups: NodeGroups): Generator<StateCount, void, undefined> {
    for (const { nodes } of groups.groups) {
      const [example] = nodes.values();
      if (example) yield { state: this.#states.of(example).state, nodes: nodes.size };
    }
  }
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
