import type { IncomingMessage } from 'node:http';
import { backoffMs, type Clock, type Logger, type Random, errorMessage, sleep } from '@clawbernetes/kernel';
import type { OutputSink, OutputStream } from '../executor.ts';
import type { Engine } from './engine.ts';
import { refusalStatus } from './engine-client.ts';
import { type OutputFrame, OutputFrames } from './output-frames.ts';
import { OutputMark, type OutputPosition, type StreamMark } from './output-mark.ts';
import { type StreamPosition, StreamCursor, unixTime } from './stream-cursor.ts';

const BACKOFF = { firstMs: 100, maxMs: 5000 } as const;
const FINAL_READS = 5;
const POLL_MS = 1000;
/** An engine scans its whole log for each poll: it may take a tenth of the time at most. */
const POLL_SHARE = 10;
/** Entries of a stream that was silent so far are at most this much older than the poll that finds them. */
const POLL_MARGIN_MS = 10_000;
/** How long an engine may take, after the container's end, to end its output. */
const END_OF_OUTPUT_MS = 2000;
/** An engine that died cannot log anything again sooner. */
const ENGINE_RESTART_MS = 100;
/**
 * Output after which we look up the time of the first entry: long before the engine's log is rotated past it.
 */
const LOOK_UP_AFTER_BYTES = 1024 * 1024;
const SPACE = 0x20;
const STREAMS = ['stdout', 'stderr'] as const;

export interface ContainerOutputDeps {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly sink: OutputSink;
}

export interface ContainerOutputOptions {
  readonly containerId: string;
  /** Where to remember how far it was read. */
  readonly markPath: string;
}

interface Entry {
  readonly stream: OutputStream;
  readonly bytes: Buffer;
}

/**
 * Carries a container's output to the sink, each byte once, over restarts of the engine and of the
 * supervisor.
 *
 * Attached from before the start, output comes at once, also without a newline, and a slow sink holds the
 * container back. When that connection is lost, what the engine logged is polled from where we were.
 * Following the log would be quicker, but Docker 20.10 loses and repeats entries when a followed log is
 * rotated, and may end before the last entry (seen: 20 of 41 MB arrived); a plain read of it is exact.
 */
export class ContainerOutput {
  readonly #deps: ContainerOutputDeps;
  readonly #containerId: string;
  readonly #stopped = new AbortController();
  readonly #delivered: Record<OutputStream, number>;
  readonly #mark: OutputMark;
  #position: { readonly [stream in OutputStream]: StreamPosition | undefined };
  #reading: Promise<void> | undefined;
  /** Whether the stream that we were attached to came to its end. */
  #complete = false;
  #polledAtMs: number | undefined;
  /**
   * Bytes of the engine's log that the sink has: those delivered, less what died with an engine before it was
   * logged.
   */
  readonly #known: Record<OutputStream, number>;
  readonly #newSince: Record<OutputStream, string | undefined> = { stdout: undefined, stderr: undefined };
  #lookedUp = false;
  #gap = false;

  private constructor(
    deps: ContainerOutputDeps,
    { containerId, markPath }: ContainerOutputOptions,
    resumed: OutputPosition | undefined,
  ) {
    this.#deps = deps;
    this.#containerId = containerId;
    this.#position = resumed ?? { stdout: undefined, stderr: undefined };
    const { received } = deps.sink;
    this.#delivered = {
      stdout: received?.stdout ?? resumed?.stdout?.delivered ?? 0,
      stderr: received?.stderr ?? resumed?.stderr?.delivered ?? 0,
    };
    this.#known = {
      stdout: this.#delivered.stdout - diedUnlogged(resumed?.stdout),
      stderr: this.#delivered.stderr - diedUnlogged(resumed?.stderr),
    };
    this.#mark = new OutputMark(deps, markPath);
  }

  /** Goes on where an earlier supervisor was, if there was one. */
  static async open(deps: ContainerOutputDeps, options: ContainerOutputOptions): Promise<ContainerOutput> {
    return new ContainerOutput(deps, options, await OutputMark.read(options.markPath));
  }

  /** Whether some of the output may be missing or come twice. */
  get gap(): boolean {
    return this.#gap;
  }

  /** Before the container is started. */
  async attach(): Promise<void> {
    const { signal } = this.#stopped;
    const response = await this.#deps.engine.attach(this.#containerId, { signal });
    this.#read(this.#readAttached(response));
  }

  /** Reads what the engine logs, unless output is being read already. */
  poll(): void {
    if (this.#reading !== undefined || this.#stopped.signal.aborted) return;
    this.#complete = false;
    this.#read(this.#poll());
  }

  /**
   * After the container's end: resolves once everything is read. `doubtful`: the engine was away meanwhile.
   */
  async finish({ doubtful }: { doubtful: boolean }): Promise<void> {
    const { clock } = this.#deps;
    const deadline = clock.after(
      this.#complete || this.#polledAtMs !== undefined ? 0 : END_OF_OUTPUT_MS,
      () => this.#stopped.abort(),
    );
    await this.#reading;
    deadline.cancel();
    this.#stopped.abort();
    if (!this.#complete || doubtful) await this.#readRest();
    this.#mark[Symbol.dispose]();
  }

  /** Stops reading and leaves the rest to a later supervisor. */
  async detach(): Promise<void> {
    this.#stopped.abort();
    await this.#reading;
    this.#mark[Symbol.dispose]();
  }

  #read(reading: Promise<void>): void {
    this.#reading = reading.finally(() => {
      this.#reading = undefined;
    });
  }

  async #readAttached(response: IncomingMessage): Promise<void> {
    const frames = new OutputFrames();
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        await this.#deliver(frames.push(chunk).map(({ stream, payload }) => ({ stream, bytes: payload })));
        this.#notePosition();
      }
      this.#complete = !this.#stopped.signal.aborted;
    } catch (error) {
      this.#deps.logger.debug('The connection to a container broke', { error: errorMessage(error) });
    }
    const newSince = timeText(this.#deps.clock.nowMs() + ENGINE_RESTART_MS);
    for (const stream of STREAMS) this.#newSince[stream] = newSince;
  }

  #notePosition(): void {
    const at = timeText(this.#deps.clock.nowMs());
    const noted = (stream: OutputStream): StreamPosition | undefined => {
      const bytes = this.#delivered[stream];
      return bytes === 0 ? undefined : { first: this.#position[stream]?.first, at, atBytes: 0, bytes };
    };
    this.#position = { stdout: noted('stdout'), stderr: noted('stderr') };
    for (const stream of STREAMS) this.#known[stream] = this.#delivered[stream];
    this.#saveMark();
    const { stdout, stderr } = this.#delivered;
    if (this.#lookedUp || stdout + stderr < LOOK_UP_AFTER_BYTES) return;
    this.#lookedUp = true;
    void this.#lookUpFirst();
  }

  /** A failure only means that, if the log is rotated later on, bytes are counted from a wrong beginning. */
  async #lookUpFirst(): Promise<void> {
    const first: Partial<Record<OutputStream, string>> = {};
    const enough = new AbortController();
    try {
      const response = await this.#deps.engine.logs(this.#containerId, {
        since: undefined,
        signal: enough.signal,
      });
      const frames = new OutputFrames();
      for await (const chunk of response as AsyncIterable<Buffer>) {
        for (const { stream, payload } of frames.push(chunk)) first[stream] ??= splitTime(payload).at;
        const { stdout, stderr } = this.#position;
        if ((!stdout || first.stdout !== undefined) && (!stderr || first.stderr !== undefined)) break;
      }
    } catch (error) {
      this.#deps.logger.debug('The beginning of a container was not found', { error: errorMessage(error) });
    }
    enough.abort();
    const { stdout, stderr } = this.#position;
    this.#position = {
      stdout: stdout && { ...stdout, first: first.stdout },
      stderr: stderr && { ...stderr, first: first.stderr },
    };
  }

  async #poll(): Promise<void> {
    const { clock, logger } = this.#deps;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const [startMs, startedAtMs] = [clock.monotonicMs(), clock.nowMs()];
      try {
        await this.#readLog(this.#since(), signal);
        this.#polledAtMs = startedAtMs;
      } catch (error) {
        if (signal.aborted || refusalStatus(error) === 404) return;
        logger.debug('Reading the log of a container failed', { error: errorMessage(error) });
      }
      const pauseMs = Math.max(POLL_MS, POLL_SHARE * (clock.monotonicMs() - startMs));
      await sleep(clock, pauseMs, { signal }).catch(() => undefined);
    }
  }

  /** Where the next poll must begin, at the latest. */
  #since(): string | undefined {
    if (this.#polledAtMs === undefined) return undefined;
    const silent = unixTime(timeText(this.#polledAtMs - POLL_MARGIN_MS));
    const { stdout, stderr } = this.#position;
    const times = [stdout, stderr].map((position) => (position ? unixTime(position.at) : silent));
    return times.toSorted((left, right) => Number(left) - Number(right))[0];
  }

  async #readRest(): Promise<void> {
    const { signal } = new AbortController();
    const { clock, random, logger } = this.#deps;
    for (let attempt = 0; attempt < FINAL_READS; attempt += 1) {
      try {
        await this.#readLog(undefined, signal);
        return;
      } catch (error) {
        if (refusalStatus(error) === 404) break;
        logger.debug('Reading the rest of a container failed', { error: errorMessage(error) });
      }
      await sleep(clock, backoffMs(attempt, BACKOFF, random));
    }
    this.#gap = true;
  }

  async #readLog(since: string | undefined, signal: AbortSignal): Promise<void> {
    const cursors = {
      stdout: new StreamCursor(this.#position.stdout, this.#known.stdout, this.#newSince.stdout),
      stderr: new StreamCursor(this.#position.stderr, this.#known.stderr, this.#newSince.stderr),
    };
    const response = await this.#deps.engine.logs(this.#containerId, { since, signal });
    const frames = new OutputFrames();
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        await this.#deliver(frames.push(chunk).map((frame) => newPart(frame, cursors[frame.stream])));
        this.#noteCursors(cursors);
      }
    } finally {
      this.#noteCursors(cursors);
    }
  }

  #noteCursors(cursors: Readonly<Record<OutputStream, StreamCursor>>): void {
    this.#position = { stdout: cursors.stdout.position, stderr: cursors.stderr.position };
    for (const stream of STREAMS) {
      this.#known[stream] = cursors[stream].known;
      this.#newSince[stream] = cursors[stream].newSince;
      this.#gap ||= cursors[stream].gap;
    }
    this.#saveMark();
  }

  #saveMark(): void {
    const mark = (stream: OutputStream): StreamMark | undefined => {
      const position = this.#position[stream];
      return position && { ...position, known: this.#known[stream], delivered: this.#delivered[stream] };
    };
    this.#mark.save({ stdout: mark('stdout'), stderr: mark('stderr') });
  }

  /** Writes runs of entries of one stream at once: a program may print a million short lines. */
  async #deliver(entries: readonly Entry[]): Promise<void> {
    let run: Buffer[] = [];
    for (const [index, { stream, bytes }] of entries.entries()) {
      if (bytes.length > 0) run.push(bytes);
      if (entries[index + 1]?.stream === stream) continue;
      await this.#write(stream, run);
      run = [];
    }
  }

  async #write(stream: OutputStream, run: readonly Buffer[]): Promise<void> {
    const bytes = run.length === 1 && run[0] ? run[0] : Buffer.concat(run);
    if (bytes.length === 0) return;
    this.#delivered[stream] += bytes.length;
    if (!this.#deps.sink.write(stream, bytes)) await this.#deps.sink.drained();
  }
}

function newPart({ stream, payload }: OutputFrame, cursor: StreamCursor): Entry {
  const entry = splitTime(payload);
  return { stream, bytes: cursor.take(entry.at, entry.payload) };
}

function diedUnlogged(mark: StreamMark | undefined): number {
  return mark === undefined ? 0 : mark.delivered - mark.known;
}

/** With `timestamps`, every entry begins with its time and a space. */
function splitTime(entry: Buffer): { readonly at: string; readonly payload: Buffer } {
  const space = entry.indexOf(SPACE);
  return { at: entry.toString('latin1', 0, space), payload: entry.subarray(space + 1) };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
