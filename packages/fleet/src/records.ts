import type {
  AttemptState,
  AttemptStatus,
  BeginPolicy,
  Cause,
  Epoch,
  NodeInventory,
  NodeView,
  RetryPolicy,
  Taint,
  WorkloadSpec,
  WorkloadState,
} from '@clawbernetes/protocol';
import type { GpuCondition } from './node/gpu-condition.ts';
import type { StoredReclaim } from './queues/stored-reclaim.ts';
import type { PlaceLevel } from './scheduler/topology/gpu-level.ts';

/** How often a policy has begun a workload anew: in all, and since an attempt last ran for long. */
export interface Tries {
  readonly spent: number;
  readonly inARow: number;
}

/** How a workload begins anew after an attempt of it has ended. */
export interface BeginningAnew {
  readonly policy: BeginPolicy;
  /**
   * Where it ran, or the member of a gang that was the reason: `restart` goes only there (a gang where all of
   * its members were), `reschedule` never, `replace` only if there is no other.
   */
  readonly formerNodeId: string;
  readonly delayMs: number;
  /** Wall clock. */
  readonly notBeforeMs: number;
  /** Work is taken off that node since: it may go anywhere. */
  readonly anywhere?: boolean;
}

/** Why a gang gives up its nodes, and what follows once its members have ended. */
export interface GangRelease {
  readonly next: 'queue' | 'end';
  readonly cause: Cause;
  readonly message: string;
  /** A member failed by itself: the loss of another may turn out to be the reason. */
  readonly hasFailed?: boolean;
}

/** The reservation of a gang: all of its members' places, made and given up as one. */
export interface GangRecord {
  /** Counts the reservations of the workload; members say to which they belong. */
  readonly generation: number;
  /** Of all members of the generation. */
  readonly epoch: Epoch;
  /** Members when it was made; their ranks go from 0 on. */
  readonly size: number;
  /** The lowest level on which one place held all of it then. */
  readonly level: PlaceLevel;
  /** Of rank 0, for whatever the members agree on. */
  readonly masterPort: number;
  /** Gathering: no program begins before all are ready. Released: the workload waits for another. */
  readonly phase: 'gathering' | 'running' | 'releasing' | 'released';
  /** Since when it is in this phase, on the wall clock. */
  readonly sinceMs: number;
  /** Reservations before this one, in a row, of which no member began. */
  readonly inVain?: number;
  /** When all were ready and let begin, on the wall clock. */
  readonly begunAtMs?: number;
  /** When `replace` was spent on members of it last, on the wall clock. */
  readonly mendedAtMs?: number;
  readonly release?: GangRelease;
}

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
  /** The attempt of this number has ended, and the workload waits to begin anew. */
  readonly waitsAfter?: number;
  /** While it waits after that attempt. */
  readonly anew?: BeginningAnew;
  readonly tries?: Readonly<Partial<Record<RetryPolicy, Tries>>>;
  /** Where neither it nor its specification says so, 0. */
  readonly priority?: number;
  /** How often it had to make room for other work, and when last. */
  readonly preemptions?: number;
  readonly lastPreemptedMs?: number;
  /** On what grounds it took the place of other queues' work. */
  readonly reclaims?: readonly StoredReclaim[];
  /** How often it was taken off a node. */
  readonly moves?: number;
  /** Of a gang, once it had places. */
  readonly gang?: GangRecord;
  /** Why it could not go on, for a person: set on rejection or when a node refused it. */
  readonly message?: string;
}

/** What is stored of one try to run a workload on one node. */
export interface AttemptRecord {
  readonly id: string;
  readonly workloadId: string;
  readonly namespace: string;
  readonly number: number;
  /** Of a member of a gang: which of its ranks, and of which reservation. */
  readonly rank?: number;
  readonly generation?: number;
  readonly nodeId: string;
  readonly devices: readonly string[];
  /** Thousandths of its one GPU; absent = all of each. */
  readonly gpuMilli?: number;
  /** Of MIG instances: thousandths of a GPU that each of them is; so it counts, whatever becomes of it. */
  readonly migMilli?: readonly number[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly epoch: Epoch;
  readonly state: AttemptState;
  /** Of the node's newest report; 0 before the first. */
  readonly revision: number;
  readonly unknownSinceMs?: number;
  /** The fleet takes it off its node: it is being stopped there. */
  readonly evicted?: { readonly cause: Cause; readonly message: string };
  readonly exitCode?: number;
  readonly signal?: string;
  readonly endReason?: AttemptStatus['reason'];
  readonly message?: string;
  /** Lost, and certainly ended: its node stops it by itself when it has no contact, and had to by then. */
  readonly fenced?: boolean;
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
  /** As the node brings them. */
  readonly labels: Readonly<Record<string, string>>;
  /** As people gave them; they go before those of the node. */
  readonly givenLabels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  /** While it is draining. The deadline is on the wall clock. */
  readonly drain?: { readonly deadlineAtMs?: number; readonly maxParallel: number };
  /** Of GPUs that are out of use, or were released, by id; the rest are fit for work. */
  readonly gpuConditions?: Readonly<Record<string, GpuCondition>>;
  readonly agentVersion: string;
  readonly inventory: NodeInventory;
  readonly commands: readonly string[];
  /** Its lease has expired, and nothing was heard since; on the wall clock. */
  readonly silentSinceMs?: number;
  readonly joinedAtMs: number;
}

/** What is known of a node at this moment; nothing of it is stored. */
export interface NodePresence {
  readonly connectivity: NodeView['connectivity'];
  /**
   * It has shown over its present connection that it runs nothing that it should not. Before that it takes no
   * new work: GPUs that are free by our account may still be in use there.
   */
  readonly reconciled: boolean;
  /** On the monotonic clock. */
  readonly lastSeenMs: number;
  readonly lastSeenAtMs: number;
}
