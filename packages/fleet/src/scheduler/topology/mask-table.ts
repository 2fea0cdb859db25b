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

/** Below every score. */
const NOT_ALLOWED = -1;

interface RuleTable {
  /** By subset: the score of its links, or that the rule does not allow it. */
  readonly scores: Float64Array;
  /** By `[count * 256 + free]`, as the members below. */
  readonly best: Uint8Array;
  readonly members: Uint8Array;
}

/** At most 32 GPUs: complete up to 8, by islands of 8 above. */
export function maskTable(graph: GpuGraph): MaskTable {
  return graph.size <= MAX_TABLE_GPUS ? new CompleteMaskTable(graph) : new WideMaskTable(graph);
}

/** All 256 masks × 8 counts, computed once per class and rule: 3^8 pairs of a mask and a subset of it. */
class CompleteMaskTable implements MaskTable {
  readonly #graph: GpuGraph;
  readonly #blocks: GpuBlocks;
  readonly #tables: Readonly<Record<NvlinkRule, RuleTable>>;

  constructor(graph: GpuGraph) {
    this.#graph = graph;
    this.#blocks = gpuBlocks(graph);
    const scores = Float64Array.from({ length: 1 << graph.size }, (_, subset) =>
      linkScore(subsetLinks(graph, subset)),
    );
    const islands = scores.map((score, subset) => (isIsland(graph, subset) ? score : NOT_ALLOWED));
    const prefer = this.#build(scores);
    this.#tables = { prefer, require: islands.includes(NOT_ALLOWED) ? this.#build(islands) : prefer };
  }

  best(free: number, count: number, rule: NvlinkRule): number {
    return this.#tables[rule].best[count * MASKS + free] ?? 0;
  }

  members(free: number, count: number, rule: NvlinkRule): number {
    return this.#tables[rule].members[count * MASKS + free] ?? 0;
  }

  assign(free: number, request: MemberRequest): readonly number[] {
    if (this.members(free, request.gpusEach, request.nvlink) < request.members) return [];
    const given: number[] = [];
    for (let rest = free; given.length < request.members;) {
      const subset = this.#bestThatLeaves(rest, request.members - given.length - 1, request);
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
  #bestThatLeaves(free: number, others: number, { gpusEach, nvlink }: MemberRequest): number {
    const first = this.best(free, gpusEach, nvlink);
    if (this.members(free & ~first, gpusEach, nvlink) >= others) return first;
    const { scores } = this.#tables[nvlink];
    let best = 0;
    let bestScore = NOT_ALLOWED;
    for (const subset of subsetsOf(free, gpusEach)) {
      const score = this.#score(scores, free, subset);
      if (score <= bestScore || this.members(free & ~subset, gpusEach, nvlink) < others) continue;
      best = subset;
      bestScore = score;
    }
    return best;
  }

  #build(scores: Float64Array): RuleTable {
    const length = (MAX_TABLE_GPUS + 1) * MASKS;
    const table = { scores, best: new Uint8Array(length), members: new Uint8Array(length) };
    for (let free = 1; free <= fullMask(this.#graph.size); free++) this.#fill(table, free);
    return table;
  }

  /**
   * The best of each count, of equals the lowest GPUs. Members are packed by way of smaller masks: the lowest
   * free GPU is in none, or in one of the subsets that hold it.
   */
  #fill({ scores, best, members }: RuleTable, free: number): void {
    const bestScores = new Float64Array(MAX_TABLE_GPUS + 1).fill(NOT_ALLOWED);
    const lowest = free & -free;
    for (let row = 0; row < best.length; row += MASKS) {
      members[row + free] = members[row + (free & ~lowest)] ?? 0;
    }
    for (let subset = lowest; subset !== 0; subset = (subset - free) & free) {
      const score = this.#score(scores, free, subset);
      if (score === NOT_ALLOWED) continue;
      const count = countBits(subset);
      const at = count * MASKS + free;
      if (score > (bestScores[count] ?? 0)) {
        best[at] = subset;
        bestScores[count] = score;
      }
      if ((subset & lowest) === 0) continue;
      members[at] = Math.max(members[at] ?? 0, 1 + (members[count * MASKS + (free & ~subset)] ?? 0));
    }
  }

  #score(scores: Float64Array, free: number, subset: number): number {
    const links = scores[subset] ?? NOT_ALLOWED;
    return links === NOT_ALLOWED ? NOT_ALLOWED : withDamage(links, this.damage(free, subset));
  }
}
