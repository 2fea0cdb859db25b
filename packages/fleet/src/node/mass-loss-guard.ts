/** Fewer silent nodes than this are never a mass loss. */
const FEW = 3;
const SHARE = 0.2;

export interface Freeze {
  /** Wall clock. */
  readonly sinceMs: number;
  /** Nodes whose silence began it or came after, and that are not back. */
  readonly silent: number;
  /** Nodes that were there when it began. */
  readonly of: number;
}

export interface Moment {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/**
 * Tells the loss of many nodes at once from that of a few: when more than max(3, 20 %) of the nodes that were
 * there lose their lease within one window, the network of the gateway is the likelier culprit. While frozen
 * nothing may be given up for their silence. The same idea is the zone disruption mode of Kubernetes.
 */
export class MassLossGuard {
  readonly #windowMs: number;
  /** When nodes that are silent now lost their lease, on the monotonic clock: those of the window. */
  readonly #recent = new Map<string, number>();
  /** Silent since the freeze, or part of its cause; undefined while all is well. */
  #frozen: { readonly at: Moment; readonly of: number; readonly nodes: Set<string>; all: number } | undefined;

  constructor({ windowMs }: { readonly windowMs: number }) {
    this.#windowMs = windowMs;
  }

  get freeze(): Freeze | undefined {
    if (!this.#frozen) return undefined;
    const { at, of, nodes } = this.#frozen;
    return { sinceMs: at.nowMs, silent: nodes.size, of };
  }

  /**
   * A node lost its lease. `present` counts those that still have theirs. Answers the freeze that this began.
   */
  silent(nodeId: string, present: number, at: Moment): Freeze | undefined {
    if (this.#frozen) {
      this.#frozen.nodes.add(nodeId);
      this.#frozen.all = Math.max(this.#frozen.all, this.#frozen.nodes.size);
      return undefined;
    }
    this.#recent.set(nodeId, at.monotonicMs);
    for (const [id, sinceMs] of this.#recent)
      if (at.monotonicMs - sinceMs > this.#windowMs) this.#recent.delete(id);
    const of = present + this.#recent.size;
    if (this.#recent.size <= Math.max(FEW, SHARE * of)) return undefined;
    const nodes = new Set(this.#recent.keys());
    this.#frozen = { at, of, nodes, all: nodes.size };
    this.#recent.clear();
    return this.freeze;
  }

  /** A node is heard of again, or gone for good. Answers whether this ended the freeze: most are back. */
  back(nodeId: string): boolean {
    this.#recent.delete(nodeId);
    if (!this.#frozen?.nodes.delete(nodeId)) return false;
    if (this.#frozen.nodes.size > this.#frozen.all / 2) return false;
    this.#frozen = undefined;
    return true;
  }

  /** Somebody says that they are gone: answers how many. */
  thaw(): number {
    const silent = this.#frozen?.nodes.size ?? 0;
    this.#frozen = undefined;
    return silent;
  }
}
