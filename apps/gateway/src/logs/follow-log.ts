import type { AttemptRecord, Fleet, WorkloadRecord } from '@clawbernetes/fleet';
import { apiError, hasEnded } from '@clawbernetes/protocol';
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
  /** Of a gang: whose log; absent = of rank 0. */
  readonly rank?: number;
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
  from: Pick<LogRequest, 'position' | 'follow' | 'rank'>,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<LogPiece, void, undefined> {
  let { position } = from;
  while (!signal.aborted) {
    const attempt = loggedAttempt(deps.fleet, workload, from.rank);
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
    if (!from.follow || isComplete(deps, workload, from.rank)) return;
    const keys = [workloadKey(workload.id), ...(attempt ? [logKey(attempt.id)] : [])];
    await deps.changes.next(keys, WAIT_MS, { signal });
  }
}

/** @throws CodedError `invalid-input` for a rank that the workload never has. */
export function loggedAttempt(
  fleet: Fleet,
  { id, name, spec }: WorkloadRecord,
  rank: number | undefined,
): AttemptRecord | undefined {
  if (rank === undefined) return fleet.latestAttempt(id);
  const members = spec.gang?.members ?? 0;
  if (rank < members) return fleet.members(id).find((member) => member.rank === rank);
  const has = members === 0 ? 'is no gang: leave the rank out' : `has the ranks 0 to ${members - 1}`;
  throw apiError('invalid-input', `${name} has no member of rank ${rank}; it ${has}.`);
}

/** Where what was asked for begins: a position, or the last lines. */
export function logStart(
  { fleet, logs }: Omit<LogDeps, 'changes'>,
  workload: WorkloadRecord,
  { position, tail, rank }: Pick<LogRequest, 'position' | 'tail' | 'rank'>,
): LogStart {
  const attempt = loggedAttempt(fleet, workload, rank);
  if (tail !== undefined) return attempt ? logs.tail(attempt.id, tail) : { position: 0, skipBytes: 0 };
  if (!attempt) return { position, skipBytes: 0 };
  return { position: Math.max(position, logs.read(attempt.id, position, 1).position), skipBytes: 0 };
}

/** The workload has ended, and nothing more of its log will come. */
export function isComplete(
  { fleet, logs }: Omit<LogDeps, 'changes'>,
  { id }: Pick<WorkloadRecord, 'id'>,
  rank?: number,
): boolean {
  const workload = fleet.findWorkload(id);
  const attempt = workload && loggedAttempt(fleet, workload, rank);
  if (!workload) return true;
  if (!hasEnded(workload.state)) return false;
  if (!attempt || attempt.state === 'lost' || logs.end(attempt.id) >= attempt.logEnd) return true;
  const node = fleet.findNode(attempt.nodeId);
  return node === undefined || fleet.nodeView(node).connectivity === 'lost';
}
