import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { type CodedError, errorMessage } from '@clawbernetes/kernel';
import type { JournalRecord } from './supervisor-state.ts';
import { supervisorError } from './supervisor-error.ts';

/** Journals shorter than this are never rewritten. */
const COMPACT_FROM_BYTES = 2 * 1024 * 1024;
/** A journal is rewritten once it is this many times as long as after the last rewriting. */
const COMPACT_FACTOR = 4;

/**
 * The supervisor's memory: an append-only file with one JSON record per line. What `flush` wrote survives the
 * death of the process (page cache); a power cut ends every workload anyway, and may cost the last records. A
 * torn last line is cut off; a damaged line in between is passed over and counted.
 */
export class Journal implements Disposable {
  readonly #path: string;
  #descriptor: number;
  #sizeBytes: number;
  #compactedBytes: number;
  #queue: JournalRecord[] = [];

  /** Opens or begins a journal; answers the records that it holds. */
  static open(path: string): { journal: Journal; records: JournalRecord[]; damagedLines: number } {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const { records, damagedLines, length } = parseJournal(bytes);
    const descriptor = openSync(path, 'a', 0o600);
    if (length < bytes.length) ftruncateSync(descriptor, length);
    return { journal: new Journal(path, descriptor, length), records, damagedLines };
  }

  private constructor(path: string, descriptor: number, sizeBytes: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#sizeBytes = sizeBytes;
    this.#compactedBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes a record for the next flush. */
  append(record: JournalRecord): void {
    this.#queue.push(record);
  }

  /** Takes back a record that could not be flushed. */
  withdraw(record: JournalRecord): void {
    this.#queue = this.#queue.filter((queued) => queued !== record);
  }

  /** Writes what was taken, in one write. On failure nothing is written, all is kept for the next flush. */
  flush(): CodedError | undefined {
    if (this.#queue.length === 0) return undefined;
    try {
      this.#write(this.#descriptor, toLines(this.#queue));
    } catch (error) {
      return storageError(this.#path, error);
    }
    this.#queue = [];
    return undefined;
  }

  /** Whether enough of the journal is history that rewriting it pays. */
  get wantsCompaction(): boolean {
    return this.#sizeBytes > Math.max(COMPACT_FROM_BYTES, COMPACT_FACTOR * this.#compactedBytes);
  }

  /** Replaces the journal by `records`, atomically; what was appended and not flushed must be among them. */
  compact(records: Iterable<JournalRecord>): CodedError | undefined {
    const temporary = `${this.#path}.new`;
    try {
      const descriptor = openSync(temporary, 'w', 0o600);
      try {
        writeWhole(descriptor, toLines(records));
        // Seldom, and without it a power cut could leave an empty file in the place of the whole journal.
        fsyncSync(descriptor);
        renameSync(temporary, this.#path);
      } finally {
        closeSync(descriptor);
      }
      closeSync(this.#descriptor);
      this.#descriptor = openSync(this.#path, 'a');
      this.#sizeBytes = this.#compactedBytes = fstatSync(this.#descriptor).size;
      this.#queue = [];
      return undefined;
    } catch (error) {
      // Not again before it has grown by as much.
      this.#compactedBytes = this.#sizeBytes;
      return storageError(this.#path, error);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #write(descriptor: number, bytes: Uint8Array): void {
    try {
      writeWhole(descriptor, bytes);
    } catch (error) {
      ftruncateSync(descriptor, this.#sizeBytes);
      throw error;
    }
    this.#sizeBytes += bytes.length;
  }
}

/** The whole lines of a journal. `length` is where the torn last line begins, or the end. */
export function parseJournal(bytes: Buffer): {
  records: JournalRecord[];
  damagedLines: number;
  length: number;
} {
  const records: JournalRecord[] = [];
  let damagedLines = 0;
  let start = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    const record = parseLine(bytes.toString('utf8', start, end));
    if (record) records.push(record);
    else damagedLines += 1;
    start = end + 1;
  }
  return { records, damagedLines, length: start };
}

function parseLine(line: string): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // Only this file's own writer made the line, so its shape is as good as its syntax.
    return typeof value === 'object' && value !== null && 'type' in value
      ? (value as JournalRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

function toLines(records: Iterable<JournalRecord>): Buffer {
  let text = '';
  for (const record of records) text += `${JSON.stringify(record)}\n`;
  return Buffer.from(text);
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(descriptor, bytes, offset);
}

function storageError(path: string, cause: unknown): CodedError {
  return supervisorError(
    'supervisor-storage',
    `The supervisor could not write its journal ${path}: ${errorMessage(cause)}. Free space or make it writable.`,
    cause,
  );
}
