import { createHash } from 'node:crypto';
import { canonicalJson } from '@clawbernetes/kernel';
import type { GpuDevice, NodeInventory } from '@clawbernetes/protocol';
import { gpuGraph, linkBandwidth, numberByAppearance, type GpuLink } from './gpu-graph.ts';
import { MAX_MASK_GPUS } from './gpu-mask.ts';
import { maskTable, type MaskTable } from './mask-table.ts';

/** What makes nodes alike for choosing GPUs; position i is bit i of a mask. */
export interface NodeClassFacts {
  readonly models: readonly string[];
  /** Undefined = not known; those GPUs count as one NUMA node. */
  readonly numaNodes: readonly (number | undefined)[];
  /** Only pairs (a < b) are read. */
  readonly links: readonly (readonly GpuLink[])[];
}

/** Nodes of one class have the same GPUs joined in the same way, so one table serves them all. */
export class NodeClass {
  /** 16 hexadecimal digits, equal on every gateway. */
  readonly hash: string;
  readonly gpuCount: number;
  readonly models: readonly string[];
  readonly #facts: NodeClassFacts;
  #masks: MaskTable | undefined;
  #isEvenlyLinked: boolean | undefined;
  #islands: readonly number[] | undefined;

  constructor(facts: NodeClassFacts, key: string) {
    this.hash = createHash('sha256').update(key).digest('hex').slice(0, 16);
    this.gpuCount = facts.models.length;
    this.models = facts.models;
    this.#facts = facts;
  }

  /** Whether NVLink joins all pairs or none, so that it says nothing about which GPUs to choose. */
  get isEvenlyLinked(): boolean {
    return (this.#isEvenlyLinked ??= areEvenlyLinked(this.#facts));
  }

  /** By GPU, the first of its NVLink island: of those that it reaches over NVLink, also through others. */
  get islands(): readonly number[] {
    return (this.#islands ??= islandsOf(this.#facts));
  }

  /**
   * Undefined above 32 GPUs, which no mask holds: there GPUs are given by count. Built when first asked for.
   */
  get masks(): MaskTable | undefined {
    if (this.gpuCount > MAX_MASK_GPUS) return undefined;
    this.#masks ??= maskTable(gpuGraph(this.#facts.links, this.#facts.numaNodes));
    return this.#masks;
  }
}

function areEvenlyLinked({ models, links }: NodeClassFacts): boolean {
  const pairs = models.flatMap((_model, a) =>
    models.slice(a + 1).map((_other, after) => links[a]?.[a + 1 + after]),
  );
  const joined = pairs.filter(isJoined);
  return joined.length === 0 || joined.length === pairs.length;
}

function isJoined(link: GpuLink | undefined): boolean {
  return link?.link === 'NV' || link?.link === 'XGMI';
}

function islandsOf({ models, links }: NodeClassFacts): readonly number[] {
  const islands = Array.from(models.keys());
  for (const [a] of models.entries())
    for (let b = a + 1; b < models.length; b += 1) {
      const [one = a, other = b] = [islands[a], islands[b]];
      if (one === other || !isJoined(links[a]?.[b])) continue;
      const first = Math.min(one, other);
      for (const [at, island] of islands.entries())
        if (island === one || island === other) islands[at] = first;
    }
  return islands;
}

/** Interns classes: equal facts give the same object while anybody holds it. */
export class NodeClasses {
  readonly #byKey = new Map<string, WeakRef<NodeClass>>();
  /** Entries at which those that nobody holds are dropped; so the map holds at most twice what is in use. */
  #sweepAt = 64;

  of(facts: NodeClassFacts): NodeClass {
    const key = classKey(facts);
    const known = this.#byKey.get(key)?.deref();
    if (known) return known;
    if (this.#byKey.size >= this.#sweepAt) this.#sweep();
    const made = new NodeClass(facts, key);
    this.#byKey.set(key, new WeakRef(made));
    return made;
  }

  #sweep(): void {
    for (const [key, held] of this.#byKey) if (!held.deref()) this.#byKey.delete(key);
    this.#sweepAt = Math.max(64, this.#byKey.size * 2);
  }
}

function classKey({ models, numaNodes, links }: NodeClassFacts): string {
  const pairs = models.map((_model, a) =>
    models.slice(a + 1).map((_other, after) => linkName(links[a]?.[a + 1 + after])),
  );
  return canonicalJson({ models, numa: numberByAppearance(numaNodes), links: pairs });
}

function linkName(link: GpuLink = { link: 'UNKNOWN' }): string {
  return link.link === 'NV' ? `NV${linkBandwidth(link)}` : link.link;
}

/**
 * The GPUs of a report in the order of their bits: whole ones by index; MIG instances are parts, not GPUs.
 */
export function maskGpus({ gpus }: Pick<NodeInventory, 'gpus'>): readonly GpuDevice[] {
  return gpus.filter((gpu) => gpu.parentId === undefined).toSorted(byIndex);
}

/** Indexes repeat between vendors. */
function byIndex(one: GpuDevice, other: GpuDevice): number {
  return one.index - other.index || (one.id < other.id ? -1 : 1);
}

export function nodeClassFacts(inventory: Pick<NodeInventory, 'gpus' | 'gpuLinks'>): NodeClassFacts {
  const gpus = maskGpus(inventory);
  const reported = new Map(inventory.gpuLinks.map((link) => [`${link.from} ${link.to}`, link]));
  return {
    models: gpus.map((gpu) => gpu.model),
    numaNodes: gpus.map((gpu) => gpu.numaNode),
    links: gpus.map((from) =>
      gpus.map((to) => {
        if (from === to) return { link: 'SELF' };
        return worse(reported.get(`${from.id} ${to.id}`), reported.get(`${to.id} ${from.id}`));
      }),
    ),
  };
}

/** Both directions should say the same; should they not, nobody is promised the better one. */
function worse(there: GpuLink | undefined, back: GpuLink | undefined): GpuLink {
  if (!there || !back) return there ?? back ?? { link: 'UNKNOWN' };
  return linkBandwidth(there) <= linkBandwidth(back) ? there : back;
}
