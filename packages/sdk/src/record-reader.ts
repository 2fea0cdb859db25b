import { decodeRecords, type LogRecord } from '@clawbernetes/telemetry/log-records';

/** A record of a workload's log and where it lies in it. */
export interface LogEntry extends LogRecord {
  /** Position just after this record: follow from here to go on with the next one. */
  readonly position: number;
  /** Number of the attempt in whose log it is; absent from gateways that do not say. */
  readonly attempt?: number;
}

/**
 * Cuts a stream of log records, which comes in chunks cut anywhere, into entries. Keeps at most one record.
 */
export class RecordReader {
  #position: number;
  #rest: Uint8Array = new Uint8Array();

  constructor(position: number) {
    this.#position = position;
  }

  /** Position after the last whole record. */
  get position(): number {
    return this.#position;
  }

  *push(chunk: Uint8Array): Generator<LogEntry, void, undefined> {
    const bytes = this.#rest.length === 0 ? chunk : concatenate(this.#rest, chunk);
    const begin = this.#position;
    let end = 0;
    for (const record of decodeRecords(bytes)) {
      end = record.end;
      this.#position = begin + end;
      const { stream, timeMs } = record;
      yield { stream, timeMs, bytes: record.bytes, position: this.#position };
    }
    this.#rest = bytes.subarray(end);
  }
}

function concatenate(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
