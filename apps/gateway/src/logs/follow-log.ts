import type { Fleet, WorkloadRecord } from '@clawbernetes/fleet';
import { hasEnded } from '@clawbernetes/protocol';
import type { Changes } from '../changes.ts';
import { logKey, type WorkloadLogs } from './workload-logs.ts';

const READ_BYTES = 262_144;
const WAIT_MS = 15_000;

export interface LogPiece {
  readonly attemptId: string;
  readonly position: number;
  readonly records: Uint8Array;
  /** Bytes that rotation removed before `position`. */
  readonly droppedBytes: number;
}

export interface LogRequest {
  readonly position: number;
  /** The last so many lines instead of from `position` on. */
  readonly tail?: number;
  readonly follow: boolean;
}

/** Where a stream of log records begins. */
export interface LogStart {
  /** Of the first record. Most likely: rotation may pass it before the first record is read. */
  readonly position: number;
  /** Of the first record's content, which come before the lines that were asked for. */
  readonly skipBytes: number;
}

interface LogDeps {
  readonly fleet: Fleet;
  readonly logs: WorkloadLogs;
  readonly changes: Changes;
}

export function workloadKey(workloadId: string): string {
  return `workload:${workloadId}`;
}

/**
 * The log of a workload's latest attempt from `position` on. With `follow` it goes on until the workload has
 * ended and all of its log is here, or cannot come because its node is gone.
 */
export async function* followLog(
  deps: LogDeps,
  workload: WorkloadRecord,
  from: { readonly position: number; readonly follow: boolean },
  { signal }: { signal: AbortSignal },
): AsyncGenerator<LogPiece, void, undefined> {
  let { position } = from;
  while (!signal.aborted) {
    const attempt = deps.fleet.latestAttempt(workload.id);
    if (attempt) {
      const slice = deps.logs.read(attempt.id, position, READ_BYTES);
      if (slice.records.length > 0) {
        yield {
          attemptId: attempt.id,
          position: slice.position,
          records: slice.records,
          droppedBytes: slice.position - position,
        };
        position = slice.position + slice.records.length;
        continue;
      }
    }
    if (!from.follow || isComplete(deps, workload.id)) return;
    const keys = [workloadKey(workload.id), ...(attempt ? [logKey(attempt.id)] : [])];
    await deps.changes.next(keys, WAIT_MS, { signal });
  }
}

/** Where what was asked for begins: a position, or the last lines. */
export function logStart(
  { fleet, logs }: Omit<LogDeps, 'changes'>,
  workload: WorkloadRecord,
  { position, tail }: Pick<LogRequest, 'position' | 'tail'>,
): LogStart {
  const attempt = fleet.latestAttempt(workload.id);
  if (tail !== undefined) return attempt ? logs.tail(attempt.id, tail) : { position: 0, skipBytes: 0 };
  if (!attempt) return { position, skipBytes: 0 };
  return { position: Math.max(position, logs.read(attempt.id, position, 1).position), skipBytes: 0 };
}

/** The workload has ended, and nothing more of its log will come. */
export function isComplete({ fleet, logs }: Omit<LogDeps, 'changes'>, workloadId: string): boolean {
  const attempt = fleet.latestAttempt(workloadId);
  const workload = fleet.findWorkload(workloadId);
  if (!workload) return true;
  if (!hasEnded(workload.state)) return false;
  if (!attempt || attempt.state === 'lost' || logs.end(attempt.id) >= attempt.logEnd) return true;
  const node = fleet.findNode(attempt.nodeId);
  return node === undefined || fleet.nodeView(node).connectivity === 'lost';
}
