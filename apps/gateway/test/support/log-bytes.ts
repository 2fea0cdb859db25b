import { encodeRecord, type LogStream } from '@clawbernetes/telemetry';

/** One record as a node sends it. */
export function record(content: string | Uint8Array, stream: LogStream = 'stdout', timeMs = 1): Uint8Array {
  return encodeRecord({ stream, timeMs, bytes: Buffer.from(content) });
}

/** Records one after another, with the position of each and of their end. */
export function logOf(...contents: readonly (string | Uint8Array)[]): {
  bytes: Buffer;
  positions: readonly number[];
} {
  const records = contents.map((content) => record(content));
  const positions = [0];
  for (const { length } of records) positions.push((positions.at(-1) ?? 0) + length);
  return { bytes: Buffer.concat(records), positions };
}
