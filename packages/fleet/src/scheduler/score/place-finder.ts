import type { Cluster, Given, StateGroup } from '../cluster/cluster.ts';
import { hasRoom } from '../cluster/node-state.ts';
import type { PackedKind, PackingCost, PackingScorer } from './packing-scorer.ts';

/** Costs that are remembered for one kind, and kinds; more are forgotten all at once. */
const MAX_KNOWN = 65_536;
const MAX_KINDS = 1024;

/** Where something goes, and why. */
export interface Place {
  readonly given: Given;
  readonly cost: PackingCost;
  /** States of nodes in which it would have fitted, and nodes in them. */
  readonly states: number;
  readonly nodes: number;
}

interface KnownCosts {
  version: number;
  /** By group; undefined where it does not fit. */
  readonly byGroup: Map<number, PackingCost | undefined>;
}

/** Finds the place that costs the fleet least, remembering what was computed for nodes of the same state. */
export class PlaceFinder<Kind extends PackedKind> {
  readonly #cluster: Cluster;
  readonly #scorer: PackingScorer<Kind>;
  readonly #known = new Map<string, KnownCosts>();

  constructor(cluster: Cluster, scorer: PackingScorer<Kind>) {
    this.#cluster = cluster;
    this.#scorer = scorer;
  }

  /** The best place of all, the first of equals; undefined if it fits nowhere. Gives nothing yet. */
  find(kind: Kind): Place | undefined {
    this.#scorer.refresh(this.#counts());
    const costs = this.#costs(kind);
    let [best, cost]: [StateGroup | undefined, PackingCost | undefined] = [undefined, undefined];
    let [states, nodes] = [0, 0];
    for (const group of this.#cluster.groups) {
      const known = costs.has(group.id) ? costs.get(group.id) : this.#compute(kind, group, costs);
      if (known === undefined) continue;
      states += 1;
      nodes += group.nodes.length;
      if (cost && known.loss >= cost.loss) continue;
      [best, cost] = [group, known];
    }
    const node = best?.nodes.at(-1);
    if (node === undefined || !cost) return undefined;
    const gpus = this.#cluster.pick(node, kind.demand, cost.from);
    return { given: { node, demand: kind.demand, gpus }, cost, states, nodes };
  }

  #compute(kind: Kind, { id, state }: StateGroup, costs: KnownCosts['byGroup']): PackingCost | undefined {
    const fits = hasRoom(state, kind.demand) && kind.suits(state.profile);
    const cost = fits ? this.#scorer.cost(state, kind.demand) : undefined;
    costs.set(id, cost);
    return cost;
  }

  #costs({ key }: Kind): KnownCosts['byGroup'] {
    const { version } = this.#scorer;
    const known = this.#known.get(key) ?? { version, byGroup: new Map() };
    if (known.version !== version || known.byGroup.size > MAX_KNOWN) known.byGroup.clear();
    known.version = version;
    if (this.#known.size >= MAX_KINDS && !this.#known.has(key)) this.#known.clear();
    this.#known.set(key, known);
    return known.byGroup;
  }

  *#counts() {
    for (const { state, nodes } of this.#cluster.groups) yield { state, nodes: nodes.length };
  }
}
