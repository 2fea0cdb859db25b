import { sleep, type Clock, type Random } from '@clawbernetes/kernel';
import type { CommandOutput } from '@clawbernetes/protocol';
import { isTransient } from './errors.ts';
import { Patience } from './patience.ts';
import { RecordReader, type LogEntry } from './record-reader.ts';
import type { Transport } from './transport.ts';

export interface FollowLogsOptions {
  /** Where to begin; an entry's `position` goes on after that entry. Default 0, the beginning. */
  readonly position?: number | undefined;
  /** In the log of the attempt of this number, and on with those that follow it. Default: the latest. */
  readonly attempt?: number | undefined;
  /** Begin this many lines before the end instead. */
  readonly tail?: number | undefined;
  /**
   * Stay until the workload has ended and its log is complete; otherwise end at the present end. Default
   * true.
   */
  readonly follow?: boolean | undefined;
  /** Of a gang: of which member. Default 0. */
  readonly rank?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LogSource {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  /** How long to go on trying after the connection was lost, ms. */
  readonly patienceMs: () => number;
  /**
   * A piece of the log with whether it is the last, to tell the end of a log from the end of a connection.
   */
  readLog(
    reference: string,
    from: ({ readonly position: number } | { readonly tail: number }) & {
      readonly rank?: number;
      readonly attempt?: number;
    },
  ): Promise<CommandOutput<'workload.logs'>>;
}

/** Before asking again where a gateway, or a proxy before it, ended a stream politely but too early. */
const ENDED_EARLY_MS = 200;
const ACCEPT = 'application/vnd.clawbernetes.log-records';

/**
 * The entries of a workload's log, each exactly once: a lost connection is made again and goes on at the
 * position
 * after the last whole record.
 */
export async function* followLogs(
  source: LogSource,
  reference: string,
  options: FollowLogsOptions,
): AsyncGenerator<LogEntry, void, undefined> {
  const { follow = true, signal } = options;
  const patience = new Patience(source, { patienceMs: source.patienceMs, signal });
  let next: FollowLogsOptions = options;
  for (;;) {
    let progress = false;
    try {
      const onAttempt = (attempt: number): void => void (next = { ...next, attempt });
      const once = { ...next, follow, signal, onAttempt };
      for await (const entry of readOnce(source, reference, once, patience)) {
        next = { position: entry.position, rank: options.rank, attempt: entry.attempt };
        progress = true;
        yield entry;
      }
      if (!follow || (await isComplete(source, reference, next))) return;
      if (!progress) await sleep(source.clock, ENDED_EARLY_MS, signal ? { signal } : {});
    } catch (error) {
      if (!isTransient(error)) throw error;
      await patience.afterFailure(error);
    }
  }
}

async function* readOnce(
  { transport, clock }: LogSource,
  reference: string,
  options: FollowLogsOptions & { readonly onAttempt: (attempt: number) => void },
  patience: Patience,
): AsyncGenerator<LogEntry, void, undefined> {
  const { position = 0, tail, attempt: asked, follow, rank, signal } = options;
  const start = tail === undefined ? { position: String(position) } : { tail: String(tail) };
  const member = rank === undefined ? {} : { rank: String(rank) };
  const former = asked === undefined ? {} : { attempt: String(asked) };
  const query = new URLSearchParams({ ...start, ...member, ...former, follow: String(follow) });
  const path = `/api/workloads/${encodeURIComponent(reference)}/logs?${query.toString()}`;
  const response = await transport.open(path, { accept: ACCEPT }, { signal });
  patience.succeeded();
  const begin = Number(response.headers.get('x-log-position') ?? position);
  const told = response.headers.get('x-log-attempt');
  const whose = told === null ? {} : { attempt: Number(told) };
  if (whose.attempt !== undefined) options.onAttempt(whose.attempt);
  if (asked !== undefined && whose.attempt !== undefined && whose.attempt !== asked)
    yield { ...notice(`attempt ${whose.attempt} begins\n`, clock.nowMs(), begin), ...whose };
  else if (tail === undefined && begin > position)
    yield { ...rotatedAway(begin, position, clock.nowMs()), ...whose };
  const reader = new RecordReader(begin);
  let skipBytes = Number(response.headers.get('x-log-skip-bytes') ?? 0);
  for await (const chunk of transport.chunks(response, signal)) {
    for (const entry of reader.push(chunk)) {
      yield { ...entry, ...whose, bytes: entry.bytes.subarray(skipBytes) };
      skipBytes = 0;
    }
  }
}

/**
 * A gateway that stops may end a stream politely, and so does one whose rotation overtook the reader; only
 * the log
 * itself knows whether that was all.
 */
async function isComplete(
  source: LogSource,
  reference: string,
  { position = 0, tail, rank, attempt }: FollowLogsOptions,
): Promise<boolean> {
  const from = tail === undefined ? { position } : { tail: 0 };
  const { complete, entries } = await source.readLog(reference, {
    ...from,
    ...(rank === undefined ? {} : { rank }),
    ...(attempt === undefined ? {} : { attempt }),
  });
  return complete && entries.length === 0;
}

function rotatedAway(begin: number, position: number, timeMs: number): LogEntry {
  return notice(`${begin - position} bytes of the log before this were rotated away\n`, timeMs, begin);
}

function notice(message: string, timeMs: number, position: number): LogEntry {
  return { stream: 'notice', timeMs, bytes: new TextEncoder().encode(message), position };
}
