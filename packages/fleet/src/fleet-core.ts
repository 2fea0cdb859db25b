import type { Clock, Logger, Random } from '@clawbernetes/kernel';
import type { Cause, Epoch, WorkloadState } from '@clawbernetes/protocol';
import type { FleetWriter } from './fleet-writer.ts';
import type { GpuPolicy } from './node/gpu-condition.ts';
import type { NodeTable } from './node/node-table.ts';
import type { AttemptRecord, WorkloadRecord } from './records.ts';
import { DEFAULT_THRASH_GUARDS, type ThrashGuards } from './scheduler/queues/victims.ts';
import type { QueueAccounts } from './queues/queue-accounts.ts';
import type { QueueTable } from './queues/queue-table.ts';
import type { Calendar } from './calendar/calendar.ts';
import type { PendingQueue } from './workload/pending-queue.ts';
import type { DelayedStarts } from './workload/policy/delayed-starts.ts';
import type { WorkloadTable } from './workload/workload-table.ts';

export interface FleetOptions {
  /**
   * Silence after which a node gets no more work, ms: 20 s are promised, and it is looked at twice a second.
   */
  readonly suspectAfterMs: number;
  /** Silence after which its attempts are unknown, ms. */
  readonly leaseMs: number;
  /** Silence after which it is called lost, ms. */
  readonly lostAfterMs: number;
  readonly maxNodes: number;
  /** Workloads that may wait at once. */
  readonly maxQueued: number;
  /** Rows not yet stored above which no more workloads are taken in: the store is slow or stuck. */
  readonly maxUnstoredRows: number;
  /** Ended workloads that are kept; the oldest go first, logs included. */
  readonly retainEnded: number;
  /** Events that are kept. */
  readonly retainEvents: number;
  /** Placements of one turn, so that a long queue cannot hold the event loop. */
  readonly placementsPerTurn: number;
  /** Placements that are not stored yet above which no more are made: whoever reads waits for them, too. */
  readonly maxPlacedAhead: number;
  /** How many nodes a turn may hold against shapes, which takes about as many µs; the next goes on. */
  readonly looksPerTurn: number;
  /** A workload that was taken off nodes so often ends the next time. */
  readonly maxMoves: number;
  readonly gpus: GpuPolicy & {
    /** Hotter than this in `hotReadings` heartbeats in a row is a fault, °C; over when 10 °C cooler. */
    readonly maxTemperatureC: number;
    readonly hotReadings: number;
  };
  readonly queues: {
    /** Of what queues used: what lies so far back counts half, ms. */
    readonly halfLifeMs: number;
    /** How much past use lowers a queue's part of what nobody is guaranteed; 0 = not at all. */
    readonly historyStrength: number;
    /** Between two looks for work that has to make room, ms. */
    readonly preemptionEveryMs: number;
    /** So long a place is kept for what others have made room for, once it is free, ms. */
    readonly holdMs: number;
    /** Between two looks at when what waits can start, ms. */
    readonly backfillEveryMs: number;
    /** Workloads that a place is kept for ahead of time. */
    readonly reservations: number;
    readonly guards: ThrashGuards;
  };
  /** An offer that the node does not list is made again after this long, ms. */
  readonly offerAgainAfterMs: number;
  /** A gang whose members are not all ready after this long gives up its places and waits anew, ms. */
  readonly gangReadyMs: number;
  /** The others of a gang go on for so long without one whose node is out of reach, ms. */
  readonly gangGraceMs: number;
}

export const DEFAULT_FLEET_OPTIONS: FleetOptions = {
  suspectAfterMs: 19_000,
  leaseMs: 30_000,
  lostAfterMs: 300_000,
  maxNodes: 10_000,
  maxQueued: 100_000,
  maxUnstoredRows: 20_000,
  retainEnded: 20_000,
  retainEvents: 1_000_000,
  placementsPerTurn: 200,
  maxPlacedAhead: 600,
  looksPerTurn: 2000,
  offerAgainAfterMs: 5_000,
  gangReadyMs: 900_000,
  gangGraceMs: 60_000,
  maxMoves: 100,
  queues: {
    halfLifeMs: 24 * 3_600_000,
    historyStrength: 1,
    preemptionEveryMs: 1000,
    holdMs: 60_000,
    backfillEveryMs: 2000,
    reservations: 4,
    guards: DEFAULT_THRASH_GUARDS,
  },
  gpus: { actions: {}, probationMs: 600_000, maxTemperatureC: 95, hotReadings: 3 },
};

/** What the fleet wants a node to be told; given out only once the reason for it is durable. */
export type NodeOrder =
  | {
      readonly kind: 'start';
      readonly attempt: AttemptRecord;
      readonly workload: WorkloadRecord;
      /** Of a member of a gang. */
      readonly member?: {
        readonly environment: Readonly<Record<string, string>>;
        /** It is held once it is ready, until it is released. */
        readonly barrier: boolean;
      };
    }
  | { readonly kind: 'release'; readonly attemptId: string; readonly epoch: Epoch }
  | {
      readonly kind: 'stop';
      readonly attemptId: string;
      readonly epoch: Epoch;
      readonly graceMs: number;
      readonly graceful: boolean;
      readonly reason: string;
    }
  | {
      readonly kind: 'acknowledge';
      readonly revisions: readonly { readonly attemptId: string; readonly revision: number }[];
    };

/** What hears of the fleet: the gateway's sessions, log store and waiting requests. */
export interface FleetListeners {
  readonly order: (nodeId: string, order: NodeOrder) => void;
  /** A workload has ended, durably. */
  readonly ended: (workloadId: string) => void;
  /** Ended workloads past retention are gone; so may be their logs. */
  readonly removed: (attemptIds: readonly string[]) => void;
}

/** What the parts of the fleet share; all of it is changed only within one turn of the event loop. */
export interface FleetCore {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly options: FleetOptions;
  readonly writer: FleetWriter;
  readonly workloads: WorkloadTable;
  readonly nodes: NodeTable;
  readonly pending: PendingQueue;
  readonly queues: QueueTable;
  readonly calendar: Calendar;
  readonly accounts: QueueAccounts;
  readonly delayed: DelayedStarts;
  readonly listeners: FleetListeners;
  /**
   * When something of this node came last over its present connection, told to the fleet already or not, by
   * the monotonic clock; undefined if it has none. Without this, what a node says comes when the fleet is
   * told.
   */
  readonly arrivedMs?: ((nodeId: string) => number | undefined) | undefined;
  readonly nextEpoch: () => Epoch;
  /** When this fleet was read back, on the monotonic clock. */
  readonly openedMs: number;
  /** Something may fit on this node now that did not before. */
  readonly capacityChanged: (nodeId: string) => void;
}

/** Stores an attempt's new state with its event. @param facts of the event, beside those that all have. */
export function commitAttempt(
  core: FleetCore,
  attempt: AttemptRecord,
  cause: Cause,
  message: string,
  facts: Readonly<Record<string, string | number | boolean>> = {},
): void {
  const first = core.workloads.attempt(attempt.id) === undefined;
  core.workloads.putAttempt(attempt);
  core.accounts.follow(attempt);
  core.writer.writeAttempt(attempt, { first });
  core.nodes.touch(attempt.nodeId);
  const state = attempt.unknownSinceMs === undefined ? attempt.state : 'unknown';
  core.writer.record({
    namespace: attempt.namespace,
    type: `attempt.${state}`,
    subject: attempt.workloadId,
    cause,
    message,
    facts: { attempt: attempt.id, node: attempt.nodeId, number: attempt.number, ...facts },
  });
}

/** States that a workload has with its attempt, whose event says so, about the same subject. */
const TOLD_BY_ATTEMPT: ReadonlySet<WorkloadState> = new Set(['reserved', 'preparing', 'starting']);

/** Stores a workload's new state, with an event if the state changed and no attempt's event tells it. */
export function commitWorkload(
  core: FleetCore,
  workload: WorkloadRecord,
  cause: Cause,
  message: string,
): void {
  const before = core.workloads.workload(workload.id);
  core.workloads.putWorkload(workload);
  core.writer.writeWorkload(workload, { first: before === undefined });
  if (before?.state === workload.state) return;
  if (TOLD_BY_ATTEMPT.has(workload.state) && !workload.spec.gang) return;
  core.writer.record({
    namespace: workload.namespace,
    type: `workload.${workload.state}`,
    subject: workload.id,
    cause,
    message,
    facts: { name: workload.name },
  });
}

/** The polite end of an attempt, as its workload allows. */
export function orderStop(core: FleetCore, attempt: AttemptRecord, workload: WorkloadRecord): void {
  const { id: attemptId, epoch, nodeId } = attempt;
  const graceMs = workload.spec.stopGraceMs;
  orderNode(core, nodeId, {
    kind: 'stop',
    ...{ attemptId, epoch, graceMs, graceful: true, reason: 'stopped' },
  });
}

export function orderNode(core: FleetCore, nodeId: string, order: NodeOrder): void {
  core.writer.whenDurable(() => core.listeners.order(nodeId, order));
}
