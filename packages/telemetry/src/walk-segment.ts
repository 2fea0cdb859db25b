import { decodeRecords, measureRecords, type LogRecord } from './log-records.ts';
import type { Segment, Segments } from './segments.ts';

/** Read at once while walking; must hold the longest record. */
const CHUNK_BYTES = 1024 * 1024;

export interface PlacedRecord {
  /** Position in the log of its first byte. */
  readonly position: number;
  readonly record: LogRecord;
}

/** Every whole record of a segment, from its start up to its end or to the first damage. */
export function* walkSegment(
  segments: Segments,
  { start, sizeBytes }: Segment,
): Generator<PlacedRecord, void> {
  for (let offset = 0; offset < sizeBytes;) {
    const chunk = segments.read(start, offset, Math.min(CHUNK_BYTES, sizeBytes - offset));
    const { length } = measureRecords(chunk);
    if (length === 0) return;
    let position = start + offset;
    for (const record of decodeRecords(chunk.subarray(0, length))) {
      yield { position, record };
      position = start + offset + record.end;
    }
    offset += length;
  }
}

/**
 * Bytes of whole records at the front of a segment: less than its size after a crash in the middle of a
 * write.
 */
export function wholeBytes(segments: Segments, { start, sizeBytes }: Segment): number {
  let offset = 0;
  while (offset < sizeBytes) {
    const { length } = measureRecords(
      segments.read(start, offset, Math.min(CHUNK_BYTES, sizeBytes - offset)),
    );
    if (length === 0) break;
    offset += length;
  }
  return offset;
}
