import type { FleetCore } from '../fleet-core.ts';
import type { Waiting } from '../scheduler/explain.ts';
import type { Shape } from '../scheduler/resources.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { isGang } from '../scheduler/gang/member-shape.ts';
import { explainHeld } from '../scheduler/why/explain-held.ts';

/** Why work waits though there is room: remembered as long as no node changes, since many may ask. */
export class HeldReasons {
  readonly #core: FleetCore;
  readonly #masked: (view: SnapshotNode, workloadId: string) => SnapshotNode;
  readonly #known = new Map<string, Waiting | undefined>();
  #version = -1;

  /** @param masked a node as this workload sees it. */
  constructor(core: FleetCore, masked: (view: SnapshotNode, workloadId: string) => SnapshotNode) {
    this.#core = core;
    this.#masked = masked;
  }

  of(
    workloadId: string,
    { key, shape }: { readonly key: string; readonly shape: Shape },
  ): Waiting | undefined {
    const { calendar, nodes, workloads } = this.#core;
    const workload = workloads.workload(workloadId);
    if (calendar.isEmpty || !workload) return undefined;
    if (this.#version !== nodes.version) this.#known.clear();
    this.#version = nodes.version;
    const { timeoutMs = 0, stopGraceMs } = workload.spec;
    const likeness = `${key} ${timeoutMs + stopGraceMs}`;
    if (!this.#known.has(likeness))
      this.#known.set(likeness, explainHeld(this.#nodesFor(workloadId, shape), shape));
    return this.#known.get(likeness);
  }

  /** Single work finds room that is held only where something is. */
  #nodesFor(workloadId: string, shape: Shape): readonly SnapshotNode[] {
    const { calendar, nodes } = this.#core;
    const views = nodes.snapshot(isGang(shape) ? undefined : calendar.nodeIds());
    return views.map((view) => this.#masked(view, workloadId));
  }
}
