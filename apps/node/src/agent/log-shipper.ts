import { errorMessage, type Clock, type Logger } from '@clawbernetes/kernel';
import type { LogSlice, Supervisor } from '../supervisor/supervisor.ts';

export interface LogShipperOptions {
  /** Most bytes on the way per connection: sent and not yet confirmed. */
  readonly windowBytes: number;
  /**
   * Most chunks on the way, however small: a gateway that is behind stops reading where too many frames wait,
   * and heartbeats with them.
   */
  readonly windowChunks: number;
  /** Of one attempt, so that a log that the gateway does not confirm leaves room for the others. */
  readonly attemptWindowBytes: number;
  readonly attemptWindowChunks: number;
  readonly chunkBytes: number;
  /** Reads from the supervisor at a time. */
  readonly concurrentReads: number;
  /** Bytes that the connection has not taken above which logs wait for statuses and heartbeats. */
  readonly backlogBytes: number;
}

export const LOG_SHIPPING: LogShipperOptions = {
  windowBytes: 4 * 1024 * 1024,
  windowChunks: 192,
  attemptWindowBytes: 1024 * 1024,
  attemptWindowChunks: 48,
  chunkBytes: 256 * 1024,
  concurrentReads: 4,
  backlogBytes: 512 * 1024,
};

/** Without a confirmation for this long, what is on the way is sent again. */
const STALLED_MS = 30_000;
/** Failed reads after which the rest of a log is given up, so that its attempt can be forgotten one day. */
const MAX_READ_FAILURES = 5;
const READ_RETRY_MS = 1000;

export interface LogChunk {
  readonly attemptId: string;
  readonly position: number;
  readonly records: Uint8Array;
  readonly final: boolean;
}

export interface LogShipperDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Pick<Supervisor, 'readLog'>;
  readonly send: (chunk: LogChunk) => void;
  /** What the connection has not taken yet. */
  readonly backlogBytes: () => number;
}

interface Stream {
  /** From where the gateway wants it; unknown until it says so. */
  started: boolean;
  position: number;
  acked: number;
  /** Where chunks end that are on the way, in order. */
  sent: number[];
  /** Known end of the log; final once `ended`. */
  end: number;
  ended: boolean;
  finalSent: boolean;
  reading: boolean;
  failures: number;
  /** When the gateway last confirmed something, or had nothing to confirm; monotonic ms. */
  progressAtMs: number;
  /** Rises with every start, so that the answer to an older read is dropped. */
  generation: number;
}

/**
 * Sends logs over one connection: in chunks, attempt by attempt in turn, with a window over all of them,
 * from where the gateway says. It never blocks anything: with a full window the bytes stay in the node's log
 * files.
 */
export class LogShipper implements Disposable {
  readonly #deps: LogShipperDeps;
  readonly #options: LogShipperOptions;
  readonly #streams = new Map<string, Stream>();
  /** Whose turn it is, first come first served: sets keep the order of insertion. */
  readonly #ready = new Set<string>();
  #inFlight = 0;
  #chunks = 0;
  #reads = 0;
  #closed = false;

  constructor(deps: LogShipperDeps, options: LogShipperOptions = LOG_SHIPPING) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Bytes sent and not confirmed. */
  get inFlightBytes(): number {
    return this.#inFlight;
  }

  /** Ships from `position` on; what was sent before is taken back. */
  start(attemptId: string, position: number): void {
    const stream = this.#stream(attemptId);
    this.#takeBack(stream);
    Object.assign(stream, {
      started: true,
      position,
      acked: position,
      finalSent: false,
      reading: false,
      failures: 0,
      progressAtMs: this.#deps.clock.monotonicMs(),
      generation: stream.generation + 1,
    });
    this.#enqueue(attemptId, stream);
  }

  /** The log has grown to `end`, or is not known to be shorter. */
  grown(attemptId: string, end: number): void {
    const stream = this.#stream(attemptId);
    if (stream.ended || end <= stream.end) return;
    stream.end = end;
    this.#enqueue(attemptId, stream);
  }

  /** The attempt has ended and its log with it, at `end`. */
  ended(attemptId: string, end: number): void {
    const stream = this.#stream(attemptId);
    if (stream.ended) return;
    stream.ended = true;
    stream.end = end;
    this.#enqueue(attemptId, stream);
  }

  /** The gateway's copy reaches `position`. */
  confirm(attemptId: string, position: number): void {
    const stream = this.#streams.get(attemptId);
    if (!stream?.started) return;
    const acked = Math.min(position, stream.position);
    if (acked <= stream.acked) return;
    this.#inFlight -= acked - stream.acked;
    stream.acked = acked;
    const left = stream.sent.filter((end) => end > acked);
    this.#chunks -= stream.sent.length - left.length;
    stream.sent = left;
    stream.progressAtMs = this.#deps.clock.monotonicMs();
    this.#enqueue(attemptId, stream, { fill: false });
    this.fill();
  }

  drop(attemptId: string): void {
    const stream = this.#streams.get(attemptId);
    if (!stream) return;
    this.#takeBack(stream);
    stream.generation += 1;
    this.#streams.delete(attemptId);
    this.#ready.delete(attemptId);
  }

  /** Sends again what the gateway has left unconfirmed for too long: its disk may have been full. */
  retryStalled(): void {
    const sinceMs = this.#deps.clock.monotonicMs() - STALLED_MS;
    for (const [attemptId, stream] of this.#streams) {
      if (stream.position > stream.acked && stream.progressAtMs <= sinceMs)
        this.start(attemptId, stream.acked);
    }
    this.fill();
  }

  /** Starts as many reads as window, backlog and concurrency allow. */
  fill(): void {
    for (const attemptId of this.#ready) {
      if (!this.#mayRead()) return;
      this.#ready.delete(attemptId);
      const stream = this.#streams.get(attemptId);
      if (stream && this.#wants(stream)) this.#read(attemptId, stream);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#streams.clear();
    this.#ready.clear();
  }

  #mayRead(): boolean {
    const reserved = this.#inFlight + (this.#reads + 1) * this.#options.chunkBytes;
    return (
      !this.#closed &&
      this.#reads < this.#options.concurrentReads &&
      reserved <= this.#options.windowBytes &&
      this.#chunks + this.#reads < this.#options.windowChunks &&
      this.#deps.backlogBytes() < this.#options.backlogBytes
    );
  }

  #read(attemptId: string, stream: Stream): void {
    if (stream.position >= stream.end) {
      // Everything was sent before the end was known: only the word that this is the end is missing.
      this.#send(attemptId, stream, { position: stream.end, records: new Uint8Array(), end: stream.end });
      return;
    }
    const { generation } = stream;
    stream.reading = true;
    this.#reads += 1;
    void this.#deps.supervisor
      .readLog(attemptId, stream.position, this.#options.chunkBytes)
      .then(
        (slice) => stream.generation === generation && this.#took(attemptId, stream, slice),
        (error: unknown) => stream.generation === generation && this.#failed(attemptId, stream, error),
      )
      .finally(() => {
        this.#reads -= 1;
        this.fill();
      });
  }

  #took(attemptId: string, stream: Stream, slice: LogSlice): void {
    if (this.#closed) return;
    stream.reading = false;
    stream.failures = 0;
    if (!stream.ended) stream.end = Math.max(slice.end, slice.position + slice.records.length);
    // Nothing before the end of an ended log is left: rotation took it, or the disk lost it.
    if (stream.ended && slice.records.length === 0) this.#send(attemptId, stream, atEnd(stream.end));
    else if (slice.records.length > 0) this.#send(attemptId, stream, slice);
    this.#enqueue(attemptId, stream, { fill: false });
  }

  #send(attemptId: string, stream: Stream, { position, records }: LogSlice): void {
    const next = position + records.length;
    if (stream.position === stream.acked) stream.progressAtMs = this.#deps.clock.monotonicMs();
    this.#inFlight += next - stream.position;
    if (next > stream.position) {
      stream.sent.push(next);
      this.#chunks += 1;
    }
    stream.position = next;
    stream.finalSent = stream.ended && next >= stream.end;
    this.#deps.send({ attemptId, position, records, final: stream.finalSent });
  }

  #takeBack(stream: Stream): void {
    this.#inFlight -= stream.position - stream.acked;
    this.#chunks -= stream.sent.length;
    stream.sent = [];
  }

  #failed(attemptId: string, stream: Stream, error: unknown): void {
    stream.failures += 1;
    this.#deps.logger.warn('A log could not be read', {
      attemptId,
      failures: stream.failures,
      error: errorMessage(error),
    });
    if (stream.failures >= MAX_READ_FAILURES && stream.ended && !this.#closed) {
      stream.reading = false;
      this.#send(attemptId, stream, atEnd(stream.end));
      return;
    }
    const { generation } = stream;
    this.#deps.clock.after(READ_RETRY_MS * stream.failures, () => {
      if (this.#closed || stream.generation !== generation) return;
      stream.reading = false;
      this.#enqueue(attemptId, stream);
    });
  }

  #enqueue(attemptId: string, stream: Stream, { fill = true } = {}): void {
    if (!this.#wants(stream)) return;
    this.#ready.add(attemptId);
    if (fill) this.fill();
  }

  /** An ended log without a byte needs no word: its terminal status says that it is empty. */
  #wants({ started, reading, position, acked, sent, end, ended, finalSent }: Stream): boolean {
    const { chunkBytes, attemptWindowBytes, attemptWindowChunks } = this.#options;
    const isFull = position - acked + chunkBytes > attemptWindowBytes || sent.length >= attemptWindowChunks;
    if (!started || reading || isFull) return false;
    return position < end || (ended && !finalSent && end > 0);
  }

  #stream(attemptId: string): Stream {
    const known = this.#streams.get(attemptId);
    if (known) return known;
    const stream: Stream = {
      started: false,
      position: 0,
      acked: 0,
      sent: [],
      end: 0,
      ended: false,
      finalSent: false,
      reading: false,
      failures: 0,
      progressAtMs: 0,
      generation: 0,
    };
    this.#streams.set(attemptId, stream);
    return stream;
  }
}

function atEnd(end: number): LogSlice {
  return { position: end, records: new Uint8Array(), end };
}
