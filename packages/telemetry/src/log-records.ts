import { assert, type CodedError } from '@clawbernetes/kernel';
import { telemetryError } from './errors.ts';

/** Where a record came from; `notice` is the platform's own word, such as how much output it had to drop. */
export const LOG_STREAMS = ['stdout', 'stderr', 'notice'] as const;
export type LogStream = (typeof LOG_STREAMS)[number];

export interface LogRecord {
  readonly stream: LogStream;
  /** Wall time at which the bytes were taken, ms since 1970. */
  readonly timeMs: number;
  readonly bytes: Uint8Array;
}

export interface DecodedRecord extends LogRecord {
  /** Offset just past this record in the decoded bytes. */
  readonly end: number;
}

/** Length u32, stream u8, time f64; little endian. The length counts the bytes after the header. */
export const RECORD_HEADER_BYTES = 13;
/** Longest content of one record; longer output becomes several records. */
export const MAX_RECORD_BYTES = 64 * 1024;

/** Stream codes start at 1, so that a tail of zeros, as a power cut may leave, is not taken for records. */
const STREAM_CODES: Readonly<Record<LogStream, number>> = { stdout: 1, stderr: 2, notice: 3 };

export interface RecordsMeasure {
  /** Bytes of whole records at the front. */
  readonly length: number;
  /** What follows them is not the beginning of a record, however much more would come. */
  readonly damaged: boolean;
}

/** One record as it is stored and sent. The content must not be longer than MAX_RECORD_BYTES. */
export function encodeRecord({ stream, timeMs, bytes }: LogRecord): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + bytes.length);
  record.set(encodeRecordHeader(stream, timeMs, bytes.length));
  record.set(bytes, RECORD_HEADER_BYTES);
  return record;
}

/** The header alone, for writers that do not want to copy the content. */
export function encodeRecordHeader(stream: LogStream, timeMs: number, length: number): Uint8Array {
  assert(length <= MAX_RECORD_BYTES, 'a log record keeps to its longest length');
  const header = new Uint8Array(RECORD_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, length, true);
  view.setUint8(4, STREAM_CODES[stream]);
  view.setFloat64(5, timeMs, true);
  return header;
}

/**
 * The whole records of `bytes`, which must begin at a record; a part of a record at the end is left for
 * later, and the caller sees by the last `end` where it begins. Contents are views into `bytes`.
 * @throws CodedError `log-damaged` where something else than a record follows.
 */
export function* decodeRecords(bytes: Uint8Array, from = 0): Generator<DecodedRecord, void, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = from; ;) {
    const length = lengthAt(view, offset);
    if (length === 'damaged') throw damagedAt(offset);
    if (length === 'partial' || offset + RECORD_HEADER_BYTES + length > bytes.length) return;
    const end = offset + RECORD_HEADER_BYTES + length;
    yield {
      stream: LOG_STREAMS[view.getUint8(offset + 4) - 1] ?? 'notice',
      timeMs: view.getFloat64(offset + 5, true),
      bytes: bytes.subarray(offset + RECORD_HEADER_BYTES, end),
      end,
    };
    offset = end;
  }
}

/** Walks over the headers only. Stops before the record that would pass `limit`, but takes at least one. */
export function measureRecords(bytes: Uint8Array, limit = Infinity): RecordsMeasure {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; ;) {
    const length = lengthAt(view, offset);
    if (length === 'damaged') return { length: offset, damaged: true };
    if (length === 'partial') return { length: offset, damaged: false };
    const end = offset + RECORD_HEADER_BYTES + length;
    if (end > bytes.length || (end > limit && offset > 0)) return { length: offset, damaged: false };
    offset = end;
  }
}

function lengthAt(view: DataView, offset: number): number | 'partial' | 'damaged' {
  if (offset + RECORD_HEADER_BYTES > view.byteLength) return 'partial';
  const length = view.getUint32(offset, true);
  const code = view.getUint8(offset + 4);
  if (length > MAX_RECORD_BYTES || code < 1 || code > LOG_STREAMS.length) return 'damaged';
  return Number.isFinite(view.getFloat64(offset + 5, true)) ? length : 'damaged';
}

function damagedAt(offset: number): CodedError {
  return telemetryError(`The log bytes are damaged: no record begins at byte ${offset} of them.`, {
    code: 'log-damaged',
  });
}
