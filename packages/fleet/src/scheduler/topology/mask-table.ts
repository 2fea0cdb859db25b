import { gpuBlocks } from './gpu-blocks.ts';
import type { GpuGraph } from './gpu-graph.ts';
import { countBits, fullMask, subsetsOf } from './gpu-mask.ts';
import {
  blockDamage,
  isIsland,
  linkScore,
  subsetLinks,
  withDamage,
  type GpuBlocks,
  type SubsetLinks,
} from './subset-score.ts';
import { WideMaskTable } from './wide-mask-table.ts';

/**
 * `require`: the GPUs of one member form an NVLink island among themselves. Not every pair needs a link of
 * its own (in the cube mesh of a DGX-1 not all have one, and rings over NVLink still exist), but no traffic
 * passes PCIe or a GPU of somebody else. `prefer`: any GPUs, the best links first.
 */
export type NvlinkRule = 'prefer' | 'require';

/** Which GPUs of one class of nodes to give, by the mask of those that are free. */
export interface MaskTable {
  /** The best `count` GPUs of `free`, 0 if there are none: links, then NUMA nodes, then whole blocks kept. */
  best(free: number, count: number, rule: NvlinkRule): number;
  /**
   * Members of `count` GPUs each that fit into `free` at the same time; `assign` finds a place for as many.
   */
  members(free: number, count: number, rule: NvlinkRule): number;
  /** Disjoint GPUs for each of `members` members, the best first; empty if they do not fit. */
  assign(free: number, request: MemberRequest): readonly number[];
  links(subset: number): SubsetLinks;
  /** How much of the larger whole blocks of `free` is lost with `subset`; comparable within one class. */
  damage(free: number, subset: number): number;
}

export interface MemberRequest {
  readonly members: number;
  readonly gpusEach: number;
  readonly nvlink: NvlinkRule;
}

/** GPUs for which all masks are computed in advance. */
export const MAX_TABLE_GPUS = 8;
const MASKS = 2 ** MAX_TABLE_GPUS;

/** At most 32 GPUs: complete up to 8, by islands of 8 above. */
export function maskTable(graph: GpuGraph): MaskTable {
  return graph.size <= MAX_TABLE_GPUS ? new CompleteMaskTable(graph) : new WideMaskTable(graph);
}

/** Index `[gpus * 256 + free]`. */
interface RuleTable {
  readonly best: Uint8Array;
  readonly members: Uint8Array;
}

/** All 256 masks × 8 counts, computed once per class: 3^8 pairs of a mask and a subset of it. */
class CompleteMaskTable implements MaskTable {
  readonly #graph: GpuGraph;
  readonly #blocks: GpuBlocks;
  /** Of the links of each subset; those of no island are -1 in the second. */
  readonly #scores: Readonly<Record<NvlinkRule, Float64Array>>;
  readonly #tables: Readonly<Record<NvlinkRule, RuleTable>>;

  constructor(graph: GpuGraph) {
    this.#graph = graph;
    this.#blocks = gpuBlocks(graph);
    const prefer = Float64Array.from({ length: 1 << graph.size }, (_, subset) =>
      linkScore(subsetLinks(graph, subset)),
    );
    const require = prefer.map((score, subset) => (isIsland(graph, subset) ? score : -1));
    this.#scores = { prefer, require };
    this.#tables = { prefer: this.#build(prefer), require: this.#build(require) };
  }

  best(free: number, count: number, rule: NvlinkRule): number {
    return this.#tables[rule].best[count * MASKS + free] ?? 0;
  }

  members(free: number, count: number, rule: NvlinkRule): number {
    return this.#tables[rule].members[count * MASKS + free] ?? 0;
  }

  assign(free: number, { members, gpusEach, nvlink }: MemberRequest): readonly number[] {
    if (this.members(free, gpusEach, nvlink) < members) return [];
    const given: number[] = [];
    for (let rest = free; given.length < members;) {
      const subset = this.#bestThatLeaves(rest, members - given.length - 1, gpusEach, nvlink);
      given.push(subset);
      rest &= ~subset;
    }
    return given;
  }

  links(subset: number): SubsetLinks {
    return subsetLinks(this.#graph, subset);
  }

  damage(free: number, subset: number): number {
    return blockDamage(this.#blocks, free, subset);
  }

  /** The best may cut the only island in two; then the best of those that leave room for the others. */
  #bestThatLeaves(free: number, others: number, count: number, rule: NvlinkRule): number {
    const best = this.best(free, count, rule);
    if (this.members(free & ~best, count, rule) >= others) return best;
    return this.#search(free, count, this.#scores[rule], (rest) => this.members(rest, count, rule) >= others);
  }

  #build(scores: Float64Array): RuleTable {
    const table = {
      best: new Uint8Array((MAX_TABLE_GPUS + 1) * MASKS),
      members: new Uint8Array((MAX_TABLE_GPUS + 1) * MASKS),
    };
    for (let free = 1; free <= fullMask(this.#graph.size); free++) {
      for (let count = 1; count <= countBits(free); count++) {
        table.best[count * MASKS + free] = this.#search(free, count, scores);
        table.members[count * MASKS + free] = packMembers(free, count, scores, table.members);
      }
    }
    return table;
  }

  /** Of equals the lowest GPUs. 0 if there is none. */
  #search(
    free: number,
    count: number,
    scores: Float64Array,
    accepts: (rest: number) => boolean = () => true,
  ): number {
    let best = 0;
    let bestScore = -1;
    for (const subset of subsetsOf(free, count)) {
      const links = scores[subset] ?? -1;
      if (links < 0 || !accepts(free & ~subset)) continue;
      const score = withDamage(links, this.damage(free, subset));
      if (score <= bestScore) continue;
      best = subset;
      bestScore = score;
    }
    return best;
  }
}

/** Set packing over smaller masks: the lowest free GPU is in no member, or in one of those that hold it. */
function packMembers(free: number, count: number, scores: Float64Array, members: Uint8Array): number {
  const lowest = free & -free;
  let most = members[count * MASKS + (free & ~lowest)] ?? 0;
  const bound = Math.floor(countBits(free) / count);
  for (const subset of subsetsOf(free, count)) {
    if (most === bound) break;
    if ((subset & lowest) === 0 || (scores[subset] ?? -1) < 0) continue;
    most = Math.max(most, 1 + (members[count * MASKS + (free & ~subset)] ?? 0));
  }
  return most;
}
