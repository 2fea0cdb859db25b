import { decodeRecords, type SegmentLog } from '@clawbernetes/telemetry';
import type { OutputStream } from '../execution/executor.ts';

/** A piece of the log that is looked at at once. */
const PIECE_BYTES = 1024 * 1024;

/** Begins every notice of output that is not in the log; the number of bytes comes before it. */
const LOSS = 'bytes of output were';

/** What a log says of output that it lacks. */
export function lossNotice(bytes: number, what: string): string {
  return `${bytes} ${LOSS} ${what}`;
}

/**
 * Bytes of each stream that a log was given by an earlier supervisor; undefined if that cannot be told, since
 * some were dropped or rotated away.
 */
export function loggedOutput(log: SegmentLog): Readonly<Record<OutputStream, number>> | undefined {
  if (log.start > 0) return undefined;
  const counted = { stdout: 0, stderr: 0 };
  for (let position = 0; position < log.end;) {
    const { position: begin, records } = log.read(position, PIECE_BYTES);
    for (const { stream, bytes } of decodeRecords(records)) {
      if (stream !== 'notice') counted[stream] += bytes.length;
      else if (Buffer.from(bytes).includes(` ${LOSS} `)) return undefined;
    }
    position = begin + records.length;
  }
  return counted;
}
