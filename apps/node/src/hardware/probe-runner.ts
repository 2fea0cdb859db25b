import { formatDuration, type Clock } from '@clawbernetes/kernel';
import type { ProbeCommand, ProbeExit, ProbeProcess, ProbeProcesses } from './probe-processes.ts';

export type ProbeResult =
  | {
      readonly outcome: 'finished';
      readonly exitCode: number;
      readonly stdout: string;
      readonly stderr: string;
    }
  | { readonly outcome: 'absent' | 'failed' | 'timed-out'; readonly message: string };

export interface ProbeRunnerOptions {
  /** From start to the polite signal, ms. */
  readonly deadlineMs?: number;
  /** From the polite signal to SIGKILL, and from there until the program is given up, ms each. */
  readonly graceMs?: number;
  /** Of stdout and stderr together; a program that prints more is killed. */
  readonly maxOutputBytes?: number;
}

/** A process that even SIGKILL does not end; `sinceMs` is on the monotonic clock. */
interface StuckProcess {
  readonly program: string;
  readonly pid: number | undefined;
  readonly sinceMs: number;
}

const DEFAULTS = { deadlineMs: 5_000, graceMs: 500, maxOutputBytes: 4 * 1024 * 1024 };

/**
 * Runs vendor tools that may hang: each has a deadline, and one that even SIGKILL does not end (it sleeps in
 * a driver, uninterruptibly) is given up. As long as such a one is there its program is not started again, so
 * a hung driver collects one stuck process and not one every ten seconds.
 */
export class ProbeRunner implements AsyncDisposable {
  readonly #deps: { readonly clock: Clock; readonly processes: ProbeProcesses };
  readonly #options: Required<ProbeRunnerOptions>;
  readonly #running = new Set<ProbeProcess>();
  readonly #stuck = new Set<StuckProcess>();

  constructor(
    deps: { readonly clock: Clock; readonly processes: ProbeProcesses },
    options: ProbeRunnerOptions = {},
  ) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Never rejects. `deadlineMs` is this command's own. */
  async run(
    command: ProbeCommand,
    { deadlineMs = this.#options.deadlineMs }: { readonly deadlineMs?: number } = {},
  ): Promise<ProbeResult> {
    const stuck = this.#stuckProcess(command.program);
    if (stuck) return { outcome: 'timed-out', message: this.#stuckMessage(stuck) };
    const output = new ProbeOutput(this.#options.maxOutputBytes, () => probe.kill('SIGKILL'));
    const probe = this.#deps.processes.start(command, (stream, bytes) => output.take(stream, bytes));
    this.#running.add(probe);
    try {
      const exit = await this.#within(deadlineMs, probe.closed);
      if (exit) return result(command, exit, output);
      return await this.#end(command.program, probe, deadlineMs);
    } finally {
      this.#running.delete(probe);
    }
  }

  /** Whether an earlier process of `program` is still there and cannot be killed. */
  isStuck(program: string): boolean {
    return this.#stuckProcess(program) !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running];
    for (const probe of running) probe.kill('SIGKILL');
    await this.#within(this.#options.graceMs, Promise.all(running.map((probe) => probe.gone)));
    for (const probe of running) probe.abandon();
  }

  async #end(program: string, probe: ProbeProcess, deadlineMs: number): Promise<ProbeResult> {
    const waited = formatDuration(deadlineMs);
    let gone = false;
    void probe.gone.then(() => {
      gone = true;
    });
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      probe.kill(signal);
      const ended = await this.#within(this.#options.graceMs, probe.closed);
      if (ended)
        return {
          outcome: 'timed-out',
          message: `${program} did not answer within ${waited} and was killed.`,
        };
    }
    if (!gone) return this.#giveUp(program, probe);
    probe.abandon();
    const left = `${program} ended and left a program behind that holds its output open`;
    return { outcome: 'timed-out', message: `${left}; it did not let go within ${waited}.` };
  }

  #giveUp(program: string, probe: ProbeProcess): ProbeResult {
    const stuck = { program, pid: probe.pid, sinceMs: this.#deps.clock.monotonicMs() };
    probe.abandon();
    this.#stuck.add(stuck);
    // `gone` never rejects.
    void probe.gone.then(() => this.#stuck.delete(stuck));
    return { outcome: 'timed-out', message: this.#stuckMessage(stuck) };
  }

  #stuckProcess(program: string): StuckProcess | undefined {
    return [...this.#stuck].find((stuck) => stuck.program === program);
  }

  #stuckMessage({ program, pid, sinceMs }: StuckProcess): string {
    const ago = formatDuration(this.#deps.clock.monotonicMs() - sinceMs);
    return (
      `${program} (pid ${pid ?? 'unknown'}) does not answer and cannot be killed (for ${ago}): ` +
      'it waits in a driver. It is left alone and not started again until it ends; else reboot this machine.'
    );
  }

  async #within<T>(limitMs: number, promise: Promise<T>): Promise<T | undefined> {
    const { promise: expired, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#deps.clock.after(limitMs, () => resolve(undefined));
    try {
      return await Promise.race([promise, expired]);
    } finally {
      timer.cancel();
    }
  }
}

/** What a program printed, up to a limit. */
class ProbeOutput {
  readonly #limitBytes: number;
  readonly #onOverflow: () => void;
  readonly #chunks = { stdout: new Array<Uint8Array>(), stderr: new Array<Uint8Array>() };
  #bytes = 0;

  constructor(limitBytes: number, onOverflow: () => void) {
    this.#limitBytes = limitBytes;
    this.#onOverflow = onOverflow;
  }

  get overflowed(): boolean {
    return this.#bytes > this.#limitBytes;
  }

  take(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    if (this.overflowed) return;
    this.#bytes += bytes.byteLength;
    if (this.overflowed) this.#onOverflow();
    else this.#chunks[stream].push(bytes);
  }

  text(stream: 'stdout' | 'stderr'): string {
    return Buffer.concat(this.#chunks[stream]).toString('utf8');
  }
}

function result({ program }: ProbeCommand, exit: ProbeExit, output: ProbeOutput): ProbeResult {
  if (exit.startError === 'ENOENT') return { outcome: 'absent', message: `${program} is not installed.` };
  if (exit.startError !== undefined) {
    return { outcome: 'failed', message: `${program} cannot be started: ${exit.startError}.` };
  }
  if (output.overflowed) {
    return { outcome: 'failed', message: `${program} printed more than a probe may, and was killed.` };
  }
  if (exit.exitCode === undefined) {
    return { outcome: 'failed', message: `${program} was ended by ${exit.signal ?? 'an unknown signal'}.` };
  }
  return {
    outcome: 'finished',
    exitCode: exit.exitCode,
    stdout: output.text('stdout'),
    stderr: output.text('stderr'),
  };
}
