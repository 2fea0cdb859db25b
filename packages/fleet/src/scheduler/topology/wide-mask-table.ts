import { gpuBlocks, gpuIslands } from './gpu-blocks.ts';
import type { GpuGraph } from './gpu-graph.ts';
import { countBits, fullMask, subsetsOf } from './gpu-mask.ts';
import type { MaskTable, MemberRequest, NvlinkRule } from './mask-table.ts';
import {
  blockDamage,
  isIsland,
  linkScore,
  subsetLinks,
  withDamage,
  type GpuBlocks,
  type SubsetLinks,
} from './subset-score.ts';

/**
 * Nodes of 9 to 32 GPUs, as islands of at most 8: GPUs of one island if they suffice, else the best split of
 * the count over two islands, else whole islands. Computed on demand: at most 2^8 subsets per island and
 * count are scored, and 8 splits per pair of islands. Not all subsets are looked at, so with bridges between
 * islands a better one may exist, and `require` may be refused where an odd path over several islands would
 * do.
 */
export class WideMaskTable implements MaskTable {
  readonly #graph: GpuGraph;
  readonly #blocks: GpuBlocks;
  readonly #islands: readonly number[];
  /** Every pair has NVLink, as behind NVSwitch: requiring it asks for nothing. */
  readonly #allLinked: boolean;

  constructor(graph: GpuGraph) {
    this.#graph = graph;
    this.#blocks = gpuBlocks(graph);
    this.#islands = gpuIslands(graph, this.#blocks);
    this.#allLinked = graph.nvlink.every((peers, gpu) => (peers | (1 << gpu)) === fullMask(graph.size));
  }

  best(free: number, count: number, rule: NvlinkRule): number {
    if (count < 1 || countBits(free) < count) return 0;
    const accepts = this.#filter(rule);
    const islands = this.#islands.map((island) => island & free);
    const inside = islands.flatMap((island) => [...subsetsOf(island, count)]);
    const best = this.#bestOf(inside, free, accepts);
    if (best !== 0) return best;
    return this.#bestOf(this.#across(islands, count), free, accepts);
  }

  members(free: number, count: number, rule: NvlinkRule): number {
    if (count < 1) return 0;
    const bound = Math.floor(countBits(free) / count);
    if (rule === 'prefer' || this.#allLinked || count === 1) return bound;
    return this.#fill(free, { members: bound, gpusEach: count, nvlink: rule }).length;
  }

  assign(free: number, request: MemberRequest): readonly number[] {
    const given = this.#fill(free, request);
    return given.length === request.members ? given : [];
  }

  links(subset: number): SubsetLinks {
    return subsetLinks(this.#graph, subset);
  }

  damage(free: number, subset: number): number {
    return blockDamage(this.#blocks, free, subset);
  }

  /** As many members as the best choice one after the other finds; `members` counts by it too. */
  #fill(free: number, { members, gpusEach, nvlink }: MemberRequest): readonly number[] {
    const given: number[] = [];
    for (let rest = free; given.length < members;) {
      const subset = this.best(rest, gpusEach, nvlink);
      if (subset === 0) break;
      given.push(subset);
      rest &= ~subset;
    }
    return given;
  }

  #filter(rule: NvlinkRule): (subset: number) => boolean {
    if (rule === 'prefer' || this.#allLinked) return () => true;
    return (subset) => isIsland(this.#graph, subset);
  }

  #across(islands: readonly number[], count: number): readonly number[] {
    const largestFirst = islands.toSorted((one, other) => countBits(other) - countBits(one));
    const pairs = largestFirst.flatMap((one, at) =>
      largestFirst.slice(at + 1).flatMap((other) => this.#splits(one, other, count)),
    );
    return pairs.length > 0 ? pairs : [this.#wholeIslands(largestFirst, count)];
  }

  /** The best of either island for every split of the count, as far as they have so many. */
  #splits(one: number, other: number, count: number): readonly number[] {
    const candidates: number[] = [];
    const least = Math.max(1, count - countBits(other));
    for (let share = least; share <= Math.min(count - 1, countBits(one)); share++) {
      candidates.push(this.#bestInside(one, share) | this.#bestInside(other, count - share));
    }
    return candidates;
  }

  /** All of the largest islands, and the rest from the smallest that has it. */
  #wholeIslands(largestFirst: readonly number[], count: number): number {
    let taken = 0;
    let left = count;
    for (const [at, island] of largestFirst.entries()) {
      const tightest = largestFirst.slice(at).findLast((other) => countBits(other) >= left);
      if (tightest !== undefined) return taken | this.#bestInside(tightest, left);
      taken |= island;
      left -= countBits(island);
    }
    return taken;
  }

  #bestInside(island: number, count: number): number {
    return this.#bestOf(subsetsOf(island, count), island, () => true);
  }

  #bestOf(subsets: Iterable<number>, free: number, accepts: (subset: number) => boolean): number {
    let best = 0;
    let bestScore = -1;
    for (const subset of subsets) {
      if (!accepts(subset)) continue;
      const score = withDamage(linkScore(this.links(subset)), this.damage(free, subset));
      if (score <= bestScore) continue;
      best = subset;
      bestScore = score;
    }
    return best;
  }
}
