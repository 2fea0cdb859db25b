import {
  errorMessage,
  formatBytes,
  present,
  sleep,
  type Clock,
  type Logger,
  type Timer,
} from '@clawbernetes/kernel';
import type { LogStream, SegmentLog } from '@clawbernetes/telemetry';
import type { OutputSink, OutputStream } from '../execution/executor.ts';
import { loggedOutput, lossNotice } from './logged-output.ts';
import { TokenBucket } from './token-bucket.ts';

export interface OutputLimits {
  /** What one workload may store over time; more is dropped, the oldest first, and counted in a notice. */
  readonly bytesPerSecond: number;
  /** What it may store at once before that. */
  readonly burstBytes: number;
  /** What is read from one workload at most; one that prints faster is held back by its full pipe. */
  readonly readBytesPerSecond: number;
}

const MIB = 1024 * 1024;
/** Following a log reaches about as much on two cores; more would only be dropped on its way. */
const DEFAULT_BYTES_PER_SECOND = 64 * MIB;

/** The limits that go with this rate: a burst of two seconds, and a pipe that is read twice as fast. */
export function outputLimits(bytesPerSecond: number): OutputLimits {
  return {
    bytesPerSecond,
    burstBytes: 2 * bytesPerSecond,
    readBytesPerSecond: Math.max(128 * MIB, 2 * bytesPerSecond),
  };
}

export const DEFAULT_OUTPUT_LIMITS = outputLimits(DEFAULT_BYTES_PER_SECOND);

/**
 * Kept back while a workload is over its limit: its newest output, so that its last words are stored in any
 * case.
 */
const HELD_BYTES = 256 * 1024;
const RELEASE_MS = 100;

interface HeldOutput {
  readonly stream: OutputStream;
  readonly timeMs: number;
  readonly bytes: Uint8Array;
}

/**
 * Takes what one attempt prints and stores it in its log, in order, within limits. A full disk loses output,
 * no more.
 */
export class AttemptOutput implements OutputSink {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #log: SegmentLog;
  readonly #limits: OutputLimits;
  readonly #grown: () => void;
  readonly #stored: TokenBucket;
  readonly #read: TokenBucket;
  #held: HeldOutput[] = [];
  #heldBytes = 0;
  /** Given up over the limit since the last notice, bytes. */
  #dropped = 0;
  /** Refused by the disk since the last notice, bytes. */
  #refused = 0;
  #problem: string | undefined;
  #release: Timer | undefined;

  /** @param grown is called after the log has grown. */
  constructor(
    { clock, logger, log, grown }: { clock: Clock; logger: Logger; log: SegmentLog; grown: () => void },
    limits: OutputLimits,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#log = log;
    this.#grown = grown;
    this.#limits = limits;
    const nowMs = clock.monotonicMs();
    this.#stored = new TokenBucket(limits.bytesPerSecond, limits.burstBytes, nowMs);
    this.#read = new TokenBucket(limits.readBytesPerSecond, limits.readBytesPerSecond / 10, nowMs);
  }

  get logEnd(): number {
    return this.#log.end;
  }

  get received(): Readonly<Record<OutputStream, number>> | undefined {
    return loggedOutput(this.#log);
  }

  write(stream: OutputStream, bytes: Uint8Array): boolean {
    const nowMs = this.#clock.monotonicMs();
    const within = this.#held.length === 0 && this.#stored.take(bytes.length, nowMs);
    if (within) this.#append(stream, this.#clock.nowMs(), bytes);
    else this.#hold(stream, bytes);
    this.#read.charge(bytes.length, nowMs);
    return this.#read.debtMs() === 0;
  }

  async drained(): Promise<void> {
    const debtMs = this.#read.debtMs();
    if (debtMs > 0) await sleep(this.#clock, debtMs);
    this.#read.charge(0, this.#clock.monotonicMs());
  }

  /** Adds a line of our own. */
  notice(text: string): void {
    this.#append('notice', this.#clock.nowMs(), Buffer.from(`${text}\n`));
  }

  /**
   * Stores what was kept back; the log is final then. Answers what a person must know of output that is lost.
   */
  finish(): string | undefined {
    this.#storeHeld();
    this.#log.close();
    if (this.#refused === 0) return undefined;
    return `${formatBytes(this.#refused)} of output were lost: ${this.#problem}`;
  }

  #hold(stream: OutputStream, bytes: Uint8Array): void {
    this.#held.push({ stream, timeMs: this.#clock.nowMs(), bytes: Uint8Array.from(bytes) });
    this.#heldBytes += bytes.length;
    const most = Math.min(HELD_BYTES, this.#limits.burstBytes);
    while (this.#heldBytes > most && this.#held.length > 1) {
      const { length } = present(this.#held.shift(), 'the oldest output').bytes;
      this.#heldBytes -= length;
      this.#dropped += length;
    }
    this.#release ??= this.#clock.after(RELEASE_MS, () => this.#releaseHeld());
  }

  #releaseHeld(): void {
    this.#release = undefined;
    const nowMs = this.#clock.monotonicMs();
    const wanted = Math.min(this.#heldBytes, this.#limits.burstBytes);
    if (!this.#stored.take(wanted, nowMs)) {
      this.#release = this.#clock.after(RELEASE_MS, () => this.#releaseHeld());
      return;
    }
    // A single piece above the burst is paid for afterwards.
    this.#stored.charge(this.#heldBytes - wanted, nowMs);
    this.#storeHeld();
  }

  #storeHeld(): void {
    this.#release?.cancel();
    this.#release = undefined;
    if (this.#dropped > 0) {
      const limit = `${formatBytes(this.#limits.bytesPerSecond)}/s`;
      this.notice(lossNotice(this.#dropped, `dropped here: more than ${limit} was printed.`));
      this.#dropped = 0;
    }
    for (const { stream, timeMs, bytes } of this.#held) this.#append(stream, timeMs, bytes);
    this.#held = [];
    this.#heldBytes = 0;
  }

  #append(stream: LogStream, timeMs: number, bytes: Uint8Array): void {
    try {
      if (this.#refused > 0) this.#noteRefused(timeMs);
      this.#log.append(stream, timeMs, bytes);
      this.#grown();
    } catch (error) {
      if (this.#problem === undefined)
        this.#logger.warn('Output cannot be stored', { error: errorMessage(error) });
      this.#problem = errorMessage(error);
      this.#refused += bytes.length;
    }
  }

  #noteRefused(timeMs: number): void {
    const text = lossNotice(this.#refused, `lost here: ${this.#problem}`);
    this.#log.append('notice', timeMs, Buffer.from(`${text}\n`));
    this.#refused = 0;
  }
}
