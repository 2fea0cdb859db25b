import { sleep } from '@clawbernetes/kernel';
import type { WorkloadSpecInput, WorkloadView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import { entryJson, LogWriter, type LogEntryJson } from '../output/log-writer.ts';
import { MAX_FOLLOWED_MEMBERS, memberLogs, ranksOf } from '../output/member-logs.ts';
import { closingLine } from './closing-line.ts';
import { workloadExitCode } from './exit-code.ts';
import { Interrupts } from './interrupts.ts';
import { explainWaiting } from './waiting.ts';

export interface ForegroundOptions {
  readonly quiet: boolean;
}

/** When to leave a workload alone that has not ended. */
export interface Leaving {
  readonly detached: Promise<unknown>;
  /** The user asked for its stop, so its end is no surprise. */
  readonly stopRequested: boolean;
}

/** After the end of a workload its log follows at once, unless its node is out of reach. */
const LOG_GRACE_MS = 5000;
/** With json the output is part of one document, so it is bounded; the log itself keeps more. */
const MAX_JSON_LOG_BYTES = 4_194_304;

/** Runs a workload with its output here; answers its exit code. */
export async function runForeground(
  context: Context,
  spec: WorkloadSpecInput,
  options: ForegroundOptions,
): Promise<number> {
  const client = await context.client();
  const workload = await client.run(spec);
  using leaving = new Interrupts(context, client, workload);
  return (await attach(context, client, workload, { ...options, leaving })) ?? 0;
}

/**
 * Shows a workload until it has ended: its output, why it waits, how it ended. Answers its exit code, or
 * undefined if
 * it was left alone before.
 */
export async function attach(
  context: Context,
  client: Client,
  workload: WorkloadView,
  { quiet, leaving }: ForegroundOptions & { readonly leaving: Leaving },
): Promise<number | undefined> {
  const output = new ForegroundOutput(context);
  const closing = new AbortController();
  const { signal } = closing;
  const logs = pumpLogs(client, workload, output, signal);
  const waiting = quiet ? Promise.resolve() : explainWaiting(context, client, workload.id, signal);
  try {
    const view = await Promise.race([
      client.waitForEnd(workload.id, { signal }),
      leaving.detached.then(() => undefined),
      failureOf(logs),
    ]);
    if (view === undefined) return undefined;
    await Promise.race([logs, sleep(context.clock, LOG_GRACE_MS, { signal })]);
    await finish(context, view, output, quiet);
    return workloadExitCode(view, leaving.stopRequested);
  } finally {
    closing.abort();
    await Promise.allSettled([logs, waiting]);
  }
}

/** Never resolves: only a failure of the log may end the wait for the workload. */
async function failureOf(logs: Promise<void>): Promise<never> {
  await logs;
  return new Promise<never>(() => undefined);
}

async function pumpLogs(
  client: Client,
  workload: WorkloadView,
  output: ForegroundOutput,
  signal: AbortSignal,
): Promise<void> {
  const { id } = workload;
  // Of more members than can be followed the first ones are shown; the others with logs --rank.
  const ranks = ranksOf(workload)?.slice(0, MAX_FOLLOWED_MEMBERS);
  const entries = ranks
    ? memberLogs(client, id, ranks, { follow: true, signal })
    : client.followLogs(id, { signal });
  for await (const entry of entries) await output.write(entry);
}

async function finish(
  context: Context,
  view: WorkloadView,
  output: ForegroundOutput,
  quiet: boolean,
): Promise<void> {
  if (context.format === 'json') {
    await context.print({ ...view, logs: output.entries, logsTruncated: output.truncated }, () => '');
  } else if (!quiet) {
    context.remark(closingLine(context, view));
  }
}

/** Live for people; gathered for programs, which get one document. */
class ForegroundOutput {
  readonly #context: Context;
  readonly #writer: LogWriter;
  readonly entries: LogEntryJson[] = [];
  #bytes = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#writer = new LogWriter(context);
  }

  get truncated(): boolean {
    return this.#bytes > MAX_JSON_LOG_BYTES;
  }

  async write(entry: Parameters<LogWriter['write']>[0]): Promise<void> {
    if (this.#context.format === 'table') return this.#writer.write(entry);
    this.#bytes += entry.bytes.length;
    if (!this.truncated) this.entries.push(entryJson(entry));
  }
}
