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
  /** Number of the attempt whose log `position` is in; absent = the latest. */
  readonly attempt?: number;
  /** Of a gang: whose log; absent = of rank 0. */
  readonly rank?: number;
}

/** Where a stream of log records begins. */
export interface LogStart {
  /**
   * Number of the attempt whose log it is: of the next, once the one that was asked for is read to its end. A
   * gang has none.
   */
  readonly attempt?: number;
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
 * The log of one attempt of a workload from `position` on. With `follow` it goes on until the workload has
 * ended and all of its log is here, or cannot come because its node is gone, or until a later attempt begins.
 */
export async function* followLog(
  deps: LogDeps,
  workload: WorkloadRecord,
  from: Pick<LogRequest, 'position' | 'follow' | 'rank'> & Pick<LogStart, 'attempt'>,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<LogPiece, void, undefined> {
  let { position } = from;
  while (!signal.aborted) {
    const attempt = readAttempt(deps.fleet, workload, from);
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
    if (attempt && isRead(deps, attempt, position)) {
      const latest = loggedAttempt(deps.fleet, workload, from.rank);
      if (latest?.id !== attempt.id) return;
    }
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
  request: Pick<LogRequest, 'position' | 'tail' | 'attempt' | 'rank'>,
): LogStart {
  const { attempt, position } = placeOf({ fleet, logs }, workload, request);
  const number = attempt?.number ?? workload.attempts + 1;
  const whose = workload.spec.gang ? {} : { attempt: number };
  if (!attempt) return { ...whose, position, skipBytes: 0 };
  if (request.tail !== undefined) return { ...whose, ...logs.tail(attempt.id, request.tail) };
  const begin = Math.max(position, logs.read(attempt.id, position, 1).position);
  return { ...whose, position: begin, skipBytes: 0 };
}

/** The position to read from: what was asked for, unless that was in another attempt's log. */
export function beginOf({ position, tail, attempt }: LogRequest, start: LogStart): number {
  return tail === undefined && (attempt ?? start.attempt) === start.attempt ? position : start.position;
}

/** The attempt to read from: what follows the one that was asked for, once that is read to its end. */
function placeOf(
  deps: Omit<LogDeps, 'changes'>,
  workload: WorkloadRecord,
  { position, attempt: number, rank }: Pick<LogRequest, 'position' | 'attempt' | 'rank'>,
): { readonly attempt: AttemptRecord | undefined; readonly position: number } {
  const latest = loggedAttempt(deps.fleet, workload, rank);
  const asked = readAttempt(deps.fleet, workload, { attempt: number, rank });
  if (asked === undefined || asked.id === latest?.id || !isRead(deps, asked, position))
    return { attempt: asked ?? latest, position: asked ? position : 0 };
  return { attempt: numbered(deps.fleet, workload.id, asked.number + 1) ?? latest, position: 0 };
}

/** Members of a gang share out the numbers; their logs go by rank. */
export function readAttempt(
  fleet: Fleet,
  workload: WorkloadRecord,
  { attempt, rank }: { readonly attempt?: number | undefined; readonly rank?: number | undefined },
): AttemptRecord | undefined {
  if (attempt === undefined || workload.spec.gang) return loggedAttempt(fleet, workload, rank);
  return numbered(fleet, workload.id, attempt);
}

function numbered(fleet: Fleet, workloadId: string, number: number): AttemptRecord | undefined {
  return fleet.attempts(workloadId).find((attempt) => attempt.number === number);
}

/** It has ended, and nothing of its log comes after `position`. */
function isRead(
  { fleet, logs }: Omit<LogDeps, 'changes'>,
  attempt: AttemptRecord,
  position: number,
): boolean {
  const { id, state, logEnd, nodeId } = attempt;
  if (position < logs.end(id)) return false;
  if (state === 'lost') return true;
  if (state !== 'exited' && state !== 'killed') return false;
  if (logs.end(id) >= logEnd) return true;
  const node = fleet.findNode(nodeId);
  return node === undefined || fleet.nodeView(node).connectivity === 'lost';
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
  return !attempt || isRead({ fleet, logs }, attempt, Infinity);
}
