import type { GpuDevice, Taint } from '@clawbernetes/protocol';
import type { NodeClass } from './topology/node-class.ts';

/** Every node carries its own name under this label, so that a selector can ask for it. */
export const NODE_NAME_LABEL = 'node';

/** A GPU as the scheduler sees it. */
export interface SnapshotGpu extends Pick<GpuDevice, 'id' | 'model' | 'memoryMib' | 'numaNode'> {
  /** Thousandths of it that nobody holds. */
  readonly freeMilli: number;
  /** Set for a MIG instance, which is given as a whole and only to who asks for its profile. */
  readonly migProfile?: string;
  /** Thousandths of its GPU that such an instance is; `freeMilli` is of the instance. */
  readonly migMilli?: number;
  /** MIG is on: what it has is given by its instances, of which there may be none. */
  readonly isCut?: true;
  /** Fit for work: healthy enough, and not merely the parent of MIG slices. */
  readonly usable: boolean;
  /** Why not, if health is the reason: `quarantined`, `on probation`. */
  readonly outOfUse?: string;
  /** Of a MIG instance: the id of its GPU, if it is out of use only with that. */
  readonly outWith?: string;
  /** A reservation keeps it from whoever looks: what ends there leaves it no freer to him. */
  readonly isReserved?: true;
}

/** A reservation by calendar, as whoever it keeps something from sees it; wall clock. */
export interface ReservedSpan {
  readonly name: string;
  readonly startMs: number;
  /** From then on it keeps nothing from him. */
  readonly untilMs: number;
}

export interface SnapshotNode {
  readonly id: string;
  readonly name: string;
  /** Connected, approved, eligible and healthy: may be given work now. */
  readonly schedulable: boolean;
  /** Why not, if not. */
  readonly unschedulableReason?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Keep away what does not tolerate them; absent = none. */
  readonly taints?: readonly Taint[];
  readonly capacity: { readonly cpuMilli: number; readonly memoryMib: number };
  readonly free: { readonly cpuMilli: number; readonly memoryMib: number };
  /** Whole ones first, in the order of the bits of masks; then MIG instances. */
  readonly gpus: readonly SnapshotGpu[];
  /** How its whole GPUs are joined; absent where nobody knows. */
  readonly gpuClass?: NodeClass;
  readonly executors: ReadonlySet<'process' | 'container'>;
  readonly sandboxed: boolean;
  /**
   * The node as it is with nothing placed on it; the same object in all views that differ only in what is
   * free. Absent in that object itself, and where it is not known.
   */
  readonly empty?: SnapshotNode;
  /** Less what is kept there for others: what is placed on it says nothing of what is free in all. */
  readonly isMasked?: true;
  /** What reservations keep there from whoever looks, and the node without them; absent = nothing. */
  readonly reserved?: {
    readonly by: readonly ReservedSpan[];
    /** Nothing of the node is left. */
    readonly isWhole: boolean;
    /** When it was looked at; wall clock. */
    readonly atMs: number;
    readonly without: SnapshotNode;
  };
}

/** What the scheduler decides from: never changed while it does. */
export interface Snapshot {
  readonly nodes: readonly SnapshotNode[];
  /** Names of nodes that wait for a person's approval. */
  readonly unapproved?: readonly string[];
}
