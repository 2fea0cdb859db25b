import type {
  AttemptState,
  AttemptStatus,
  Epoch,
  NodeInventory,
  NodeView,
  WorkloadSpec,
  WorkloadState,
} from '@clawbernetes/protocol';

/** What is stored of a workload. `state` is derived from its latest attempt and kept for queries. */
export interface WorkloadRecord {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: WorkloadSpec;
  readonly state: WorkloadState;
  readonly idempotencyKey?: string;
  readonly submittedAtMs: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  /** A user asked for its end: whatever its exit, it counts as cancelled. */
  readonly stopRequested: boolean;
  /** Runs only on this node: `system.run`. */
  readonly nodeId?: string;
  /** Attempts made so far; the latest has this number. */
  readonly attempts: number;
  /** Why it could not go on, for a person: set on rejection or when a node refused it. */
  readonly message?: string;
}

/** What is stored of one try to run a workload on one node. */
export interface AttemptRecord {
  readonly id: string;
  readonly workloadId: string;
  readonly namespace: string;
  readonly number: number;
  readonly nodeId: string;
  readonly devices: readonly string[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly epoch: Epoch;
  readonly state: AttemptState;
  /** Of the node's newest report; 0 before the first. */
  readonly revision: number;
  readonly unknownSinceMs?: number;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly endReason?: AttemptStatus['reason'];
  readonly message?: string;
  readonly sandbox?: AttemptStatus['sandbox'];
  readonly limitations: readonly string[];
  readonly placedAtMs: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly logEnd: number;
}

/** What is stored of a node. Connectivity lives in memory only: it is known anew after every start. */
export interface NodeRecord {
  readonly id: string;
  readonly name: string;
  /** Hex of the raw Ed25519 key. */
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly approved: boolean;
  readonly eligibility: NodeView['eligibility'];
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
  readonly inventory: NodeInventory;
  readonly commands: readonly string[];
  readonly joinedAtMs: number;
}

/** Which of a node's records a frame may come from: connected, or silent for how long. */
export interface NodePresence {
  readonly connectivity: NodeView['connectivity'];
  /** On the monotonic clock. */
  readonly lastSeenMs: number;
  readonly lastSeenAtMs: number;
}
