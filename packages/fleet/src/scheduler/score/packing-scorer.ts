import { gpuShare, WHOLE_GPU, type Demand } from '../cluster/demand.ts';
import { afterDemand, wholeGpus, type NodeState } from '../cluster/node-state.ts';
import { CpuBalance } from './cpu-balance.ts';
import { PARTS, worthOfRests } from './cutting-stock.ts';
import { DemandMix, gpusOf, type KindCount, type MixedKind } from './demand-mix.ts';
import { scarcityPrices } from './scarcity.ts';

/** What one kind of workload asks for, and on which nodes. */
export interface PackedKind extends MixedKind {
  /** Whether nodes of this profile may be given it, when they are empty. */
  suits(profile: number): boolean;
}

/** A state of nodes, and how many there are in it. */
export interface StateCount {
  readonly state: NodeState;
  readonly nodes: number;
}

/**
 * What placing costs the fleet: the worth of the node before, less that after, and the price of its model.
 */
export interface PackingCost {
  readonly loss: number;
  /** Thousandths that were free of the GPU that the share is taken from. */
  readonly from: number;
}

// Weights of the worths and the price, found on a few orders of lists of the openb trace (`bench -- openb`).
// They are nearly an order of importance: whole GPUs are cut well before anything, then CPU is kept for GPUs,
// and what frequent kinds could still fill decides between equals.
const SHARE_WEIGHT = 200;
const BALANCE_WEIGHT = 40;
const SCARCITY_WEIGHT = 10;
/** Kinds that are looked at singly: those that ask for the most GPUs. */
const TOP_KINDS = 64;
/** Kinds that are looked at for the price of models. */
const PRICED_KINDS = 256;
/** Weights are computed anew after an eighth more arrivals, at the latest after so many as a rule. */
const MAX_STALE_ARRIVALS = 200;
const MIN_STALE_ARRIVALS = 4;

interface WeightedKind {
  readonly kind: PackedKind;
  readonly demand: Demand;
  /** Worth of a thousandth of a GPU that it can still fill. */
  readonly weight: number;
}

/**
 * Chooses where work leaves the rest of the fleet most useful for what usually arrives. The worth of a node
 * is what its free resources can still be used for, by three measures: the rests of its GPUs
 * (`worthOfRests`), its GPUs for which there is CPU (`CpuBalance`), and what each frequent kind could still
 * fill if only that kind came, weighted by how scarce the room for it is. It is learnt from arrivals, of
 * which nothing needs to be known beforehand. On top comes a price for models that others depend on
 * (`scarcityPrices`). Fragmentation as a measure is from Weng et al., "Beware of Fragmentation", USENIX ATC
 * 2023.
 */
export class PackingScorer<Kind extends PackedKind> {
  readonly #mix = new DemandMix<Kind>();
  #rests = worthOfRests([]);
  #balance = new CpuBalance([]);
  #kinds: readonly WeightedKind[] = [];
  /** Those of them that count on nodes of a profile. */
  readonly #kindsOf = new Map<number, readonly WeightedKind[]>();
  #prices: ReadonlyMap<number, number> = new Map();
  #refreshAt = 0;
  /** Of states that nodes were in since the last refresh. */
  #worths = new WeakMap<NodeState, number>();
  /** Rises whenever costs change that were computed before. */
  version = 0;

  /** One that says what this one says now; what has arrived it does not know. */
  copy(): PackingScorer<Kind> {
    const copy = new PackingScorer<Kind>();
    copy.#rests = this.#rests;
    copy.#balance = this.#balance;
    copy.#kinds = this.#kinds;
    copy.#prices = this.#prices;
    return copy;
  }

  /** Something of this kind asks for a place, whether or not it gets one. */
  arrived(kind: Kind): void {
    this.#mix.arrived(kind);
  }

  /**
   * Takes account of what has arrived, if that is much by now. @param states those that nodes are in. @param
   * maxStale arrivals that may go by, where costs are too many to compute them more often.
   */
  refresh(states: Iterable<StateCount>, maxStale = 0): void {
    const { arrivals } = this.#mix;
    if (arrivals < this.#refreshAt) return;
    const most = Math.max(MAX_STALE_ARRIVALS, maxStale);
    this.#refreshAt = arrivals + Math.min(most, Math.max(MIN_STALE_ARRIVALS, arrivals >> 3));
    const mix = this.#mix.byGpus();
    this.#rests = worthOfRests(piecesOf(mix));
    this.#balance = new CpuBalance(mix);
    const counts = [...states];
    this.#kinds = weighted(mix.slice(0, TOP_KINDS), counts);
    this.#prices = scarcityPrices(mix.slice(0, PRICED_KINDS), counts);
    this.#kindsOf.clear();
    this.#worths = new WeakMap();
    this.version += 1;
  }

  /** What it costs to meet a demand that fits. @param shares free of GPUs to take it from; absent = all. */
  cost(state: NodeState, demand: Demand, shares = sources(state, demand)): PackingCost {
    const worth = this.#worths.get(state) ?? this.worth(state);
    this.#worths.set(state, worth);
    const price = this.price(state.profile, demand);
    let best = { loss: Infinity, from: 0 };
    for (const from of shares) {
      const loss = price + worth - this.worth(afterDemand(state, demand, from));
      if (loss < best.loss - 1e-9) best = { loss, from };
    }
    return best;
  }

  price(profile: number, demand: Demand): number {
    return SCARCITY_WEIGHT * gpuShare(demand) * (this.#prices.get(profile) ?? 0);
  }

  worth(state: NodeState): number {
    let rests = 0;
    for (const share of state.gpus) {
      if (share === 0) break;
      rests += this.#rests[Math.floor((share * PARTS) / WHOLE_GPU)] ?? 0;
    }
    let worth = SHARE_WEIGHT * WHOLE_GPU * rests + BALANCE_WEIGHT * this.#balance.usable(state);
    const whole = wholeGpus(state);
    for (const { demand, weight } of this.#kindsFor(state.profile))
      worth += weight * fillable(state, demand, whole);
    return worth;
  }

  #kindsFor(profile: number): readonly WeightedKind[] {
    const known = this.#kindsOf.get(profile);
    if (known) return known;
    const kinds = this.#kinds.filter(({ kind, weight }) => weight > 0 && kind.suits(profile));
    this.#kindsOf.set(profile, kinds);
    return kinds;
  }
}

/** The free shares from which a demand could take its own, the least first; GPUs with equal ones are one. */
function sources({ gpus }: NodeState, demand: Demand): readonly number[] {
  if (demand.gpus !== 1 || demand.gpuMilli === WHOLE_GPU) return [WHOLE_GPU];
  return gpus.filter((free, index) => free >= demand.gpuMilli && free !== gpus[index - 1]).toReversed();
}

/** Thousandths of GPUs that repeated demands of one kind could fill. */
function fillable({ cpuMilli, memoryMib, gpus }: NodeState, demand: Demand, whole: number): number {
  let count = 0;
  if (demand.gpuMilli === WHOLE_GPU) count = Math.floor(whole / demand.gpus);
  else
    for (const free of gpus) {
      if (free < demand.gpuMilli) break;
      count += Math.floor(free / demand.gpuMilli);
    }
  if (count === 0) return 0;
  if (count * demand.cpuMilli > cpuMilli) count = Math.floor(cpuMilli / demand.cpuMilli);
  if (count * demand.memoryMib > memoryMib) count = Math.floor(memoryMib / demand.memoryMib);
  return count * gpuShare(demand);
}

/** Single GPUs and shares of them; a demand of many whole ones is as many single ones. */
function piecesOf(mix: readonly KindCount<PackedKind>[]) {
  const wanted = new Map<number, number>();
  let total = 0;
  for (const known of mix) {
    const { gpus, gpuMilli } = known.kind.demand;
    const size = Math.ceil((gpuMilli * PARTS) / WHOLE_GPU);
    wanted.set(size, (wanted.get(size) ?? 0) + known.count * gpus);
    total += gpusOf(known);
  }
  return [...wanted]
    .toSorted(([left], [right]) => left - right)
    .map(([size, count]) => ({ size, wanted: count / total }));
}

/**
 * What each kind asked for, by the room that there is for it; all together, as much as is free of GPUs.
 */
function weighted<Kind extends PackedKind>(
  mix: readonly KindCount<Kind>[],
  states: readonly StateCount[],
): readonly WeightedKind[] {
  const room = mix.map(({ kind }) => roomFor(kind, states));
  const asked = mix.map((known, index) => (room[index] === 0 ? 0 : gpusOf(known)));
  const free = states.reduce(
    (sum, { state, nodes }) => sum + nodes * state.gpus.reduce((all, share) => all + share, 0),
    0,
  );
  const total = asked.reduce((sum, gpus) => sum + gpus, 0);
  return mix.map(({ kind }, index) => {
    const weight = total === 0 ? 0 : ((asked[index] ?? 0) / total) * (free / Math.max(1, room[index] ?? 0));
    return { kind, demand: kind.demand, weight };
  });
}

function roomFor({ demand, suits }: PackedKind, states: readonly StateCount[]): number {
  let room = 0;
  for (const { state, nodes } of states)
    if (suits(state.profile)) room += nodes * fillable(state, demand, wholeGpus(state));
  return room;
}
