import { errorMessage } from '@clawbernetes/kernel';
import type { Client, LogEntry } from '@clawbernetes/sdk';
import type { WorkloadView } from '@clawbernetes/protocol';

/** Members whose logs are followed at once: each takes a connection. */
export const MAX_FOLLOWED_MEMBERS = 64;
/** A line that is longer is shown in pieces. */
const MAX_LINE_BYTES = 65_536;
const NEWLINE = 10;

/** A line, or a notice, of one member. */
export interface MemberEntry extends LogEntry {
  readonly rank: number;
}

interface FollowOptions {
  readonly follow?: boolean | undefined;
  readonly tail?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Ranks of a gang, undefined for other workloads. */
export function ranksOf({ spec }: Pick<WorkloadView, 'spec'>): readonly number[] | undefined {
  return spec.gang && Array.from({ length: spec.gang.members }, (_, rank) => rank);
}

/**
 * The logs of several members, whole lines at a time so that none is torn. To the present end they come in
 * the order of their times; while they are followed, as they arrive.
 */
export async function* memberLogs(
  client: Client,
  workload: string,
  ranks: readonly number[],
  options: FollowOptions,
): AsyncGenerator<MemberEntry, void, undefined> {
  const sources = ranks.map((rank): Source => ({ rank, lines: wholeLines(client, workload, rank, options) }));
  yield* options.follow === true ? asTheyArrive(sources) : byTime(sources);
}

interface Source {
  readonly rank: number;
  readonly lines: AsyncGenerator<MemberEntry, void, undefined>;
}

async function* byTime(sources: readonly Source[]): AsyncGenerator<MemberEntry, void, undefined> {
  const heads = new Map<Source, MemberEntry>();
  const ask = async (source: Source): Promise<void> => {
    const next = await source.lines.next();
    if (next.done === true) heads.delete(source);
    else heads.set(source, next.value);
  };
  await Promise.all(sources.map(ask));
  while (heads.size > 0) {
    const [source, entry] = [...heads].reduce((first, head) =>
      head[1].timeMs < first[1].timeMs ? head : first,
    );
    yield entry;
    await ask(source);
  }
}

/** Of each member one line is asked for at a time, so that nothing piles up here. */
async function* asTheyArrive(sources: readonly Source[]): AsyncGenerator<MemberEntry, void, undefined> {
  const arrived: { readonly source: Source; readonly entry: MemberEntry }[] = [];
  const open = new Set(sources);
  const failures: Error[] = [];
  let wake = Promise.withResolvers<void>();
  const ask = async (source: Source): Promise<void> => {
    try {
      const next = await source.lines.next();
      if (next.done === true) open.delete(source);
      else arrived.push({ source, entry: next.value });
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(errorMessage(error)));
    }
    wake.resolve();
  };
  for (const source of sources) void ask(source);
  while (open.size > 0) {
    await wake.promise;
    wake = Promise.withResolvers();
    if (failures[0]) throw failures[0];
    for (const { source, entry } of arrived.splice(0)) {
      yield entry;
      void ask(source);
    }
  }
}

async function* wholeLines(
  client: Client,
  workload: string,
  rank: number,
  options: FollowOptions,
): AsyncGenerator<MemberEntry, void, undefined> {
  const rests = new Map<LogEntry['stream'], MemberEntry>();
  for await (const entry of client.followLogs(workload, { ...options, rank })) {
    const rest = rests.get(entry.stream);
    const bytes = rest ? Buffer.concat([rest.bytes, entry.bytes]) : Buffer.from(entry.bytes);
    const whole = { ...entry, rank, bytes };
    const end = entry.stream === 'notice' ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
    const cut = end === 0 && bytes.length > MAX_LINE_BYTES ? bytes.length : end;
    if (cut > 0) yield { ...whole, bytes: bytes.subarray(0, cut) };
    if (cut < bytes.length) rests.set(entry.stream, { ...whole, bytes: bytes.subarray(cut) });
    else rests.delete(entry.stream);
  }
  yield* rests.values();
}
