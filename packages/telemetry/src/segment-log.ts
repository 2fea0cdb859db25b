import { assert, type CodedError, present } from '@clawbernetes/kernel';
import { telemetryError } from './errors.ts';
import { FileSegments } from './file-segments.ts';
import {
  encodeRecordHeader,
  MAX_RECORD_BYTES,
  measureRecords,
  RECORD_HEADER_BYTES,
  type LogStream,
} from './log-records.ts';
import type { OpenSegments, Segment, Segments } from './segments.ts';
import { walkSegment, wholeBytes } from './walk-segment.ts';

export const DEFAULT_LOG_BYTES = 64 * 1024 * 1024;
export const DEFAULT_SEGMENT_BYTES = 8 * 1024 * 1024;

export interface SegmentLogOptions {
  readonly folder: string;
  /** Bound of all segments together; the oldest go first. At least twice `segmentBytes`. */
  readonly maxBytes?: number;
  readonly segmentBytes?: number;
}

export interface LogSlice {
  /** Where `records` begin. Later than asked by as many bytes as are gone. */
  readonly position: number;
  /** Whole records; empty at the end of the log. */
  readonly records: Uint8Array;
  readonly end: number;
}

/** A place within a record, since records hold several lines. */
export interface LogTail {
  /** Of the record, to read from. */
  readonly position: number;
  /** Of its content, which come before. */
  readonly skipBytes: number;
}

/**
 * An append-only log of one workload: bounded, rotated, binary-safe. A position counts the bytes ever
 * appended, headers included, and keeps its meaning over rotation, restarts and copies. Appended bytes are in
 * the kernel's page cache when `append` returns: they survive the death of the process, not a power cut. One
 * writer; readers in the same process.
 */
export class SegmentLog implements Disposable {
  readonly #segments: Segments;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  #kept: Segment[];
  /** Where records are known to begin, the latest last: a position from elsewhere could be inside one. */
  readonly #begins = new Set<number>();

  /** Opens or begins a log; a record torn by a crash is cut off. Nothing is created before the first byte. */
  static open({ segments }: { readonly segments?: OpenSegments }, options: SegmentLogOptions): SegmentLog {
    return new SegmentLog(segments?.(options.folder) ?? new FileSegments(options.folder), options);
  }

  private constructor(
    segments: Segments,
    { maxBytes = DEFAULT_LOG_BYTES, segmentBytes = DEFAULT_SEGMENT_BYTES }: SegmentLogOptions,
  ) {
    assert(segmentBytes > 0 && maxBytes >= 2 * segmentBytes, 'a log holds at least two segments');
    this.#segments = segments;
    this.#maxBytes = maxBytes;
    this.#segmentBytes = segmentBytes;
    this.#kept = withoutOverlap(segments.list());
    this.#cutTornTail();
  }

  /** Position of the first byte that is kept. */
  get start(): number {
    return this.#kept[0]?.start ?? 0;
  }

  /** Position just past the last byte. */
  get end(): number {
    const last = this.#kept.at(-1);
    return last === undefined ? 0 : last.start + last.sizeBytes;
  }

  get sizeBytes(): number {
    return this.#kept.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /**
   * @throws CodedError `log-write-failed`; the log is as before then, apart from whole records of a long
   * content.
   */
  append(stream: LogStream, timeMs: number, bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; offset += MAX_RECORD_BYTES) {
      const content = bytes.subarray(offset, offset + MAX_RECORD_BYTES);
      this.#write(this.end, [encodeRecordHeader(stream, timeMs, content.length), content]);
    }
  }

  /**
   * Appends whole records copied from another log, at the same positions. What is here already is skipped, so
   * a repeated or overlapping copy is harmless; a position past the end leaves a gap, which readers see as
   * bytes that are gone.
   * @returns the new end, from which to go on copying.
   * @throws CodedError `log-damaged` when `records` are longer than a segment, are not whole records, or do
   *   not continue
   *   this log at a record.
   */
  appendRaw(position: number, records: Uint8Array): number {
    const known = Math.max(0, this.end - position);
    const longest = Math.max(this.#segmentBytes, RECORD_HEADER_BYTES + MAX_RECORD_BYTES);
    if (records.length > longest) throw damaged(`${records.length} bytes at once; ${longest} are allowed`);
    const { length } = measureRecords(records);
    if (length !== records.length)
      throw damaged(`only ${length} of ${records.length} bytes are whole records`);
    if (known >= records.length) return this.end;
    if (known > 0 && measureRecords(records.subarray(0, known)).length !== known) {
      throw damaged(`they do not continue the copy, which ends at ${this.end}`);
    }
    this.#write(position + known, [records.subarray(known)]);
    return this.end;
  }

  /**
   * Whole records from `position` on: at most `maxBytes`, but at least one if there is one. Ends at the end
   * of a segment, so readers go on until they reach `end`. A position that is gone continues at the first
   * kept record after it, one inside a record at the next record, one past the end at the end.
   */
  read(position: number, maxBytes: number): LogSlice {
    const { end } = this;
    for (const segment of this.#kept) {
      if (segment.start + segment.sizeBytes <= position) continue;
      const slice = this.#readSegment(segment, Math.max(position, segment.start), maxBytes);
      if (slice) return { ...slice, end };
    }
    return { position: end, records: new Uint8Array(), end };
  }

  /** Where the last `lines` lines begin. Costs reading one segment, more only if it has too few lines. */
  tail(lines: number): LogTail {
    if (lines <= 0) return { position: this.end, skipBytes: 0 };
    let missing: number | undefined;
    for (const segment of this.#kept.toReversed()) {
      for (const { position, record } of [...walkSegment(this.#segments, segment)].reverse()) {
        missing ??= record.bytes.at(-1) === NEWLINE ? lines + 1 : lines;
        const found = countNewlines(record.bytes);
        if (found >= missing)
          return within(position, record.bytes, afterNewline(record.bytes, found - missing + 1));
        missing -= found;
      }
    }
    return { position: this.start, skipBytes: 0 };
  }

  /** Gives back the file descriptor; a later append takes it again. */
  close(): void {
    this.#segments.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Deletes the log. */
  remove(): void {
    this.#segments.removeAll();
    this.#begins.clear();
    this.#kept = [];
  }

  #write(position: number, parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const last = this.#kept.at(-1);
    const fits = last && position === this.end && last.sizeBytes + length <= this.#segmentBytes;
    const start = fits ? last.start : position;
    this.#segments.append(start, parts);
    if (fits || last?.start === start) this.#kept.pop();
    this.#kept.push({ start, sizeBytes: (fits ? last.sizeBytes : 0) + length });
    if (!fits) this.#dropOldest();
  }

  #dropOldest(): void {
    for (let size = this.sizeBytes; size > this.#maxBytes - this.#segmentBytes && this.#kept.length > 1;) {
      const oldest = present(this.#kept.shift(), 'the oldest segment');
      this.#segments.remove(oldest.start);
      size -= oldest.sizeBytes;
    }
  }

  #readSegment(segment: Segment, asked: number, maxBytes: number): Omit<LogSlice, 'end'> | undefined {
    const position = this.#firstRecord(segment, asked);
    if (position === undefined) return undefined;
    const offset = position - segment.start;
    const wanted = Math.max(maxBytes, RECORD_HEADER_BYTES + MAX_RECORD_BYTES);
    const chunk = this.#segments.read(segment.start, offset, Math.min(wanted, segment.sizeBytes - offset));
    const { length } = measureRecords(chunk, maxBytes);
    if (length === 0) return undefined;
    this.#noteBegin(position + length);
    return { position, records: chunk.subarray(0, length) };
  }

  /**
   * The first record at or after `position`. Unless it is known, it is found from the segment's start: what a
   * workload prints can look like a record.
   */
  #firstRecord(segment: Segment, position: number): number | undefined {
    if (position === segment.start || this.#begins.has(position)) return position;
    for (const placed of walkSegment(this.#segments, segment)) {
      if (placed.position >= position) return placed.position;
    }
    return undefined;
  }

  /** Readers go on where they ended. */
  #noteBegin(position: number): void {
    this.#begins.delete(position);
    this.#begins.add(position);
    const [oldest] = this.#begins;
    if (this.#begins.size > KNOWN_BEGINS && oldest !== undefined) this.#begins.delete(oldest);
  }

  #cutTornTail(): void {
    const last = this.#kept.pop();
    if (last === undefined) return;
    const sizeBytes = wholeBytes(this.#segments, last);
    if (sizeBytes < last.sizeBytes) this.#segments.truncate(last.start, sizeBytes);
    this.#kept.push({ start: last.start, sizeBytes });
  }
}

/** More than there are readers of one log at a time. */
const KNOWN_BEGINS = 64;
const NEWLINE = 10;

function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** Segments never overlap; should a damaged disk say so, the later one is right. */
function withoutOverlap(segments: readonly Segment[]): Segment[] {
  return segments.map(({ start, sizeBytes }, index) => {
    const next = segments[index + 1]?.start ?? Infinity;
    return { start, sizeBytes: Math.min(sizeBytes, next - start) };
  });
}

function damaged(how: string): CodedError {
  return telemetryError(`Copied log records are damaged: ${how}.`, { code: 'log-damaged' });
}

/** Where the content after the `nth` newline, counted from 1, begins. */
function afterNewline(bytes: Uint8Array, nth: number): number {
  let offset = 0;
  for (let passed = 0; passed < nth; passed += 1) offset = bytes.indexOf(NEWLINE, offset) + 1;
  return offset;
}

/** All of a record before the place is the beginning of the next one. */
function within(position: number, { length }: Uint8Array, skipBytes: number): LogTail {
  if (skipBytes < length) return { position, skipBytes };
  return { position: position + RECORD_HEADER_BYTES + length, skipBytes: 0 };
}
