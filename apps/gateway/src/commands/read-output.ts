import type { AttemptRecord } from '@clawbernetes/fleet';
import type { CommandOutput } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { logKey } from '../logs/workload-logs.ts';
import { encodeText } from './encode-text.ts';
import type { HandlerDeps } from './handler-context.ts';

/** For the end of the log to arrive after the word that the work has ended. */
const LOG_DEADLINE_MS = 5_000;
const READ_BYTES = 262_144;

type Output = Pick<CommandOutput<'system.run'>, 'stdout' | 'stderr' | 'encoding' | 'truncated'>;

/** What an ended workload has written, at most `maxBytes` of each stream. */
export async function readOutput(deps: HandlerDeps, workloadId: string, maxBytes: number): Promise<Output> {
  const attempt = deps.fleet.latestAttempt(workloadId);
  if (!attempt) return { stdout: '', stderr: '', encoding: 'utf8', truncated: false };
  await wholeLog(deps, attempt);
  const { stdout, stderr, whole } = collect(deps, attempt, maxBytes);
  const kept = [stdout.subarray(0, maxBytes), stderr.subarray(0, maxBytes)].map((bytes) => encodeText(bytes));
  const binary = kept.some(({ encoding }) => encoding === 'base64');
  const show = (bytes: Buffer): string => bytes.subarray(0, maxBytes).toString(binary ? 'base64' : 'utf8');
  return {
    stdout: show(stdout),
    stderr: show(stderr),
    encoding: binary ? 'base64' : 'utf8',
    truncated: !whole || stdout.length > maxBytes || stderr.length > maxBytes,
  };
}

async function wholeLog({ clock, logs, changes }: HandlerDeps, attempt: AttemptRecord): Promise<void> {
  const deadline = clock.monotonicMs() + LOG_DEADLINE_MS;
  while (logs.end(attempt.id) < attempt.logEnd) {
    const leftMs = deadline - clock.monotonicMs();
    if (leftMs <= 0) return;
    await changes.next([logKey(attempt.id)], leftMs);
  }
}

/** Stops once one stream is over the limit; `whole` = the log was here from its first byte to its last. */
function collect(
  { logs }: HandlerDeps,
  { id, logEnd }: AttemptRecord,
  maxBytes: number,
): { stdout: Buffer; stderr: Buffer; whole: boolean } {
  const bytes = { stdout: 0, stderr: 0, notice: 0 };
  const parts: Record<keyof typeof bytes, Uint8Array[]> = { stdout: [], stderr: [], notice: [] };
  let position = 0;
  let gap = false;
  while (Math.max(bytes.stdout, bytes.stderr) <= maxBytes) {
    const slice = logs.read(id, position, READ_BYTES);
    if (slice.records.length === 0) break;
    gap ||= slice.position > position;
    position = slice.position + slice.records.length;
    for (const record of decodeRecords(slice.records)) {
      parts[record.stream].push(record.bytes);
      bytes[record.stream] += record.bytes.length;
    }
  }
  const [stdout, stderr] = [Buffer.concat(parts.stdout), Buffer.concat(parts.stderr)];
  return { stdout, stderr, whole: !gap && position >= logEnd };
}
