import { NODE, NVLINK_DOMAIN, levelNumber, type TopologyTree } from '../topology/topology-tree.ts';
import type { GangFleet, GangSlices } from './gang-demand.ts';

/**
 * A place that can hold a gang: the number of a domain, or ~node (below 0) for a single node, which is the
 * lowest domain of all.
 */
export type Spot = number;

export function spotOfNode(node: number): Spot {
  return ~node;
}

/**
 * How many slices each place can hold; without slices each member is one. A place "keeps slices" if it is
 * known and not above the slices' level: any of its members can then form one, so it counts floor(members ÷
 * size). Others count the sum of what they consist of, because no slice may cross them.
 */
export class SliceCapacity {
  readonly tree: TopologyTree;
  readonly sliceSize: number;
  readonly #sliceLevel: number;
  readonly #room: Int32Array;
  /** By domain. */
  readonly #members: Int32Array;
  readonly #slices: Int32Array;

  constructor({ tree, room, members }: Pick<GangFleet, 'tree' | 'room' | 'members'>, slices?: GangSlices) {
    this.tree = tree;
    this.sliceSize = slices?.size ?? 1;
    this.#sliceLevel = slices ? levelNumber(slices.level) : NODE;
    this.#room = room;
    this.#members = members ?? sumOverDomains(tree, (node) => room[node] ?? 0);
    this.#slices = this.sliceSize === 1 ? this.#members : this.#countSlices();
  }

  levelOf(spot: Spot): number {
    return spot < 0 ? NODE : this.tree.level(spot);
  }

  /** -1 above the fleet. */
  parentOf(spot: Spot): Spot {
    return spot < 0 ? (this.tree.path(~spot)[NVLINK_DOMAIN] ?? -1) : this.tree.parent(spot);
  }

  members(spot: Spot): number {
    return (spot < 0 ? this.#room[~spot] : this.#members[spot]) ?? 0;
  }

  slices(spot: Spot): number {
    if (spot >= 0) return this.#slices[spot] ?? 0;
    const room = this.#room[~spot] ?? 0;
    return this.sliceSize === 1 ? room : Math.floor(room / this.sliceSize);
  }

  /** Any members in it may form a slice. */
  keepsSlices(spot: Spot): boolean {
    return spot < 0 || (this.tree.level(spot) >= this.#sliceLevel && this.tree.isKnown(spot));
  }

  /** Gives members away; only for a capacity whose arrays are its own: see `draftCapacity`. */
  take(node: number, members: number): void {
    const before = this.slices(spotOfNode(node));
    this.#room[node] = (this.#room[node] ?? 0) - members;
    let change = this.slices(spotOfNode(node)) - before;
    for (const domain of this.tree.path(node).toReversed()) {
      this.#members[domain] = (this.#members[domain] ?? 0) - members;
      if (this.sliceSize > 1) change = this.#changeSlices(domain, change);
    }
  }

  #changeSlices(domain: number, below: number): number {
    const before = this.#slices[domain] ?? 0;
    const after = this.keepsSlices(domain)
      ? Math.floor(this.members(domain) / this.sliceSize)
      : before + below;
    this.#slices[domain] = after;
    return after - before;
  }

  #countSlices(): Int32Array {
    const { tree } = this;
    const counts = sumOverDomains(tree, (node) => this.slices(spotOfNode(node)));
    for (let level = NVLINK_DOMAIN; level >= 0; level--) {
      for (const domain of tree.domainsAt(level)) counts[domain] = this.#slicesOf(domain, counts);
    }
    return counts;
  }

  #slicesOf(domain: number, counts: Int32Array): number {
    if (this.keepsSlices(domain)) return Math.floor(this.members(domain) / this.sliceSize);
    if (this.tree.level(domain) === NVLINK_DOMAIN) return counts[domain] ?? 0;
    let sum = 0;
    for (const child of this.tree.children(domain)) sum += counts[child] ?? 0;
    return sum;
  }
}

/** One that may be changed, of a fleet that may not. */
export function draftCapacity({ tree, room }: GangFleet, slices?: GangSlices): SliceCapacity {
  return new SliceCapacity({ tree, room: room.slice() }, slices);
}

/** By domain number, in one pass over nodes and one over domains. */
function sumOverDomains(tree: TopologyTree, count: (node: number) => number): Int32Array {
  const sums = new Int32Array(tree.domainSlots);
  for (const domain of tree.domainsAt(NVLINK_DOMAIN)) {
    let sum = 0;
    for (const node of tree.children(domain)) sum += count(node);
    sums[domain] = sum;
  }
  for (let level = NVLINK_DOMAIN; level > 0; level--) {
    for (const domain of tree.domainsAt(level)) {
      const parent = tree.parent(domain);
      sums[parent] = (sums[parent] ?? 0) + (sums[domain] ?? 0);
    }
  }
  return sums;
}
