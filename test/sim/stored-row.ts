import type { AttemptState, Epoch, NodeView, Taint } from '@clawbernetes/protocol';

/** A row of the fleet as the simulator reads it: its columns and what its JSON holds. */
export interface StoredRow {
  readonly id: string;
  readonly state: string;
  readonly spec?: unknown;
}

export interface StoredWorkload extends StoredRow {
  readonly stopRequested: boolean;
  readonly finishedAtMs?: number;
}

export interface StoredAttempt extends StoredRow {
  readonly state: AttemptState;
  readonly workloadId: string;
  readonly generation?: number;
  readonly nodeId: string;
  readonly devices: readonly string[];
  readonly epoch: Epoch;
  readonly revision: number;
  readonly unknownSinceMs?: number;
  readonly evicted?: { readonly cause: string; readonly message: string };
}

export interface StoredNode extends StoredRow {
  readonly name: string;
  readonly approved: boolean;
  readonly silentSinceMs?: number;
  readonly eligibility: NodeView['eligibility'];
  readonly taints?: readonly Taint[];
  readonly gpuConditions?: Readonly<Record<string, { readonly state: string }>>;
  readonly drain?: { readonly deadlineAtMs?: number };
}

export function isTerminalState(state: string): boolean {
  return state === 'exited' || state === 'killed' || state === 'lost';
}
