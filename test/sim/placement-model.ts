import type { StoredAttempt, StoredNode } from './stored-row.ts';

interface PlacementModelDeps {
  readonly node: (id: string) => StoredNode | undefined;
  readonly connectivity: (id: string) => string | undefined;
  /** It has shown over its present connection that it runs only what it should. */
  readonly isReconciled: (id: string) => boolean;
  readonly isFrozen: () => boolean;
  readonly monotonicMs: () => number;
  readonly violate: (what: string) => void;
}

/** A mass loss: more than this many, and more than this share, within one lease. As fleet.md says. */
const FEW = 3;
const SHARE = 0.2;
/** Shorter than the lease of 30 s, so that a loss at the edge of the window is nobody's fault, ms. */
const WINDOW_MS = 25_000;

/** Where work may go and from where it may be taken, judged by what was stored before. */
export class PlacementModel {
  readonly #deps: PlacementModelDeps;
  /** When each lost its lease, of those that have not come back; monotonic ms. */
  readonly #silent = new Map<string, number>();
  readonly #present = new Set<string>();

  constructor(deps: PlacementModelDeps) {
    this.#deps = deps;
  }

  placed({ id, nodeId, devices }: StoredAttempt): void {
    const { node: find, connectivity, violate } = this.#deps;
    const node = find(nodeId);
    if (!node) return violate(`${id} was placed on a node that is not stored`);
    if (!node.approved || node.eligibility !== 'schedulable')
      violate(`${id} was placed on ${node.name}, which is ${node.eligibility}`);
    if (connectivity(nodeId) !== 'connected')
      violate(`${id} was placed on ${node.name}, which is ${connectivity(nodeId)}`);
    if (!this.#deps.isReconciled(nodeId))
      violate(`${id} was placed on ${node.name} before that had shown what it runs`);
    // No simulated workload tolerates a taint.
    if (node.taints?.some(({ effect }) => effect !== 'prefer-no-schedule'))
      violate(`${id} was placed on ${node.name} in spite of its taints`);
    // The id of a MIG instance begins with that of its GPU.
    for (const device of devices.flatMap((one) => [one, one.replace(/-mig-\d$/, '')])) {
      const state = node.gpuConditions?.[device]?.state ?? 'healthy';
      if (state !== 'healthy' && state !== 'released')
        violate(`${id} was given ${devices.join()}, and ${device} is ${state}`);
    }
  }

  evicted({ id }: StoredAttempt): void {
    if (this.#deps.isFrozen()) this.#deps.violate(`${id} was evicted during a freeze`);
  }

  /** In the order of the events. Only a node that was there before can be part of a loss. */
  connectivity(nodeId: string, change: string): void {
    const { node: find, isFrozen, monotonicMs, violate } = this.#deps;
    const node = find(nodeId);
    const counts = node?.approved && node.eligibility !== 'retired' && node.silentSinceMs === undefined;
    if (change === 'connected') {
      this.#present.add(nodeId);
      this.#silent.delete(nodeId);
    } else if (change === 'disconnected') {
      this.#present.delete(nodeId);
      if (counts && !isFrozen()) this.#silent.set(nodeId, monotonicMs());
    } else if (change === 'lost' && isFrozen()) {
      violate(`${node?.name ?? nodeId} was called lost during a freeze`);
    }
  }

  /** A freeze began or ended, or a new gateway took over: what fell silent before does not count again. */
  forgetSilence(): void {
    this.#silent.clear();
  }

  restarted(): void {
    this.#silent.clear();
    this.#present.clear();
  }

  /** The freeze is in the same batch as the loss that completes it. */
  batchEnded(): void {
    if (this.#deps.isFrozen()) return;
    const nowMs = this.#deps.monotonicMs();
    const recent = [...this.#silent].filter(([, sinceMs]) => nowMs - sinceMs <= WINDOW_MS);
    const of = this.#present.size + recent.length;
    if (recent.length > Math.max(FEW, SHARE * of))
      this.#deps.violate(`${recent.length} of ${of} nodes fell silent together without a freeze`);
  }
}
