import { CodedError, type Clock, type Random, type Timer } from '@clawbernetes/kernel';
import {
  compareEpochs,
  isTerminal,
  type AttemptStatus,
  type EndReason,
  type Epoch,
} from '@clawbernetes/protocol';
import { memoryDisk, SegmentLog } from '@clawbernetes/telemetry';
import type { ExecRequest, ExecResult, ExecutionStats, Launch } from '../execution/executor.ts';
import { ContactWatch } from '../supervisor/contact-watch.ts';
import type { LogSlice, Supervisor } from '../supervisor/supervisor.ts';

/** What a virtual workload does. */
export interface VirtualRun {
  /** From running to its end; Infinity runs until it is stopped. */
  readonly durationMs: number;
  readonly exitCode?: number;
  /** Printed on stdout at these times after the start. */
  readonly output?: readonly { readonly atMs: number; readonly text: string }[];
  /** Takes no notice of the polite signal. */
  readonly stubborn?: boolean;
  /** From accepted to what follows, ms; else as the supervisor does. */
  readonly startMs?: number;
  /** Pulls an image for so long before it starts, ms. */
  readonly prepareMs?: number;
  /** Why it cannot be started once it is prepared. */
  readonly failure?: string;
}

export interface VirtualSupervisorOptions {
  /** What a launch does; default: as its command and environment say, see `scriptOf`. */
  readonly script?: (launch: Launch) => VirtualRun;
  /** From accepted to running; default 1 to 5 ms. */
  readonly startMs?: number;
  readonly maxLogBytes?: number;
}

/** It serves one node only. */
const OWNER = 'node';

interface VirtualAttempt {
  readonly launch: Launch;
  readonly run: VirtualRun;
  readonly log: SegmentLog;
  readonly timers: Timer[];
  isReleased: boolean;
  status: AttemptStatus;
}

interface Listeners {
  status: ((status: AttemptStatus) => void)[];
  log: ((attemptId: string, end: number) => void)[];
  lost: ((reason: string) => void)[];
}

/**
 * A supervisor without processes: workloads are timers of a clock. It lives on while agents come and go:
 * each agent has an `attach()` of its own, which is dead once disposed of. For the simulator, for thousands
 * of agents in one process, and for tests where real processes are not the point.
 */
export class VirtualSupervisor {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: VirtualSupervisorOptions;
  readonly #attempts = new Map<string, VirtualAttempt>();
  readonly #epochs = new Map<string, Epoch>();
  readonly #disk = memoryDisk();
  readonly #listeners = new Set<Listeners>();
  readonly #contacts: ContactWatch;
  #changes = 0;

  constructor(
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    options: VirtualSupervisorOptions = {},
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
    this.#contacts = new ContactWatch({
      clock,
      uptimeMs: () => clock.monotonicMs(),
      expired: (attemptId) => this.#disconnected(attemptId),
    });
  }

  /** Rises with every change of an attempt that it holds. */
  get changes(): number {
    return this.#changes;
  }

  /** How many attempts it holds, the ended ones that are not forgotten included. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Ids of the attempts that have not ended. */
  liveAttempts(): string[] {
    return [...this.#attempts].flatMap(([id, { status }]) => (isTerminal(status.state) ? [] : id));
  }

  /** Of the attempts that have not ended. */
  liveWorkloads(): string[] {
    return [...this.#attempts.values()].flatMap(({ status, launch }) =>
      isTerminal(status.state) ? [] : launch.workloadId,
    );
  }

  /** Of the attempts that have not ended. */
  liveLaunches(): Launch[] {
    return [...this.#attempts.values()].flatMap(({ status, launch }) =>
      isTerminal(status.state) ? [] : launch,
    );
  }

  /** Thousandths of each device that live attempts use, by id, for checks that none is given twice. */
  milliInUse(): ReadonlyMap<string, number> {
    const inUse = new Map<string, number>();
    for (const { status, launch } of this.#attempts.values()) {
      if (isTerminal(status.state)) continue;
      for (const device of launch.devices) inUse.set(device, (inUse.get(device) ?? 0) + milliOf(launch));
    }
    return inUse;
  }

  /** Undefined for one that it does not hold. */
  stateOf(attemptId: string): AttemptStatus['state'] | undefined {
    return this.#attempts.get(attemptId)?.status.state;
  }

  /** A connection for one agent. */
  attach(): Supervisor {
    const listeners: Listeners = { status: [], log: [], lost: [] };
    this.#listeners.add(listeners);
    const guarded = async <T>(work: () => T): Promise<T> => {
      if (!this.#listeners.has(listeners)) throw detached();
      await Promise.resolve();
      return work();
    };
    return {
      launch: (launch) => guarded(() => this.#launch(launch)),
      stop: (attemptId, options) => guarded(() => this.#stop(attemptId, options)),
      release: (attemptId) => guarded(() => this.#release(attemptId)),
      uptimeMs: () => this.#clock.monotonicMs(),
      contact: (sentMs) => guarded(() => void this.#contacts.contact(OWNER, sentMs)),
      list: () => guarded(() => Array.from(this.#attempts.values(), present)),
      forget: (attemptIds) => guarded(() => this.#forget(attemptIds)),
      exec: (attemptId, request) => guarded(() => this.#exec(attemptId, request)),
      stats: (attemptId) => guarded(() => this.#stats(attemptId)),
      readLog: (attemptId, position, maxBytes) => guarded(() => this.#readLog(attemptId, position, maxBytes)),
      onStatus: (listener) => void listeners.status.push(listener),
      onLog: (listener) => void listeners.log.push(listener),
      onLost: (listener) => void listeners.lost.push(listener),
      [Symbol.asyncDispose]: async () => void this.#listeners.delete(listeners),
    };
  }

  /** The supervisor process dies and another takes its place: what ran is lost, as plain processes are. */
  crash(): void {
    for (const attempt of this.#attempts.values()) {
      if (isTerminal(attempt.status.state)) continue;
      this.#end(attempt, { state: 'lost', reason: 'supervisor-lost', message: 'The supervisor ended.' });
    }
    for (const { lost } of this.#listeners)
      for (const tell of lost) tell('the virtual supervisor was restarted');
  }

  /** Appends to the log of an attempt. */
  print(attemptId: string, text: string): void {
    const attempt = this.#attempts.get(attemptId);
    if (!attempt || isTerminal(attempt.status.state)) return;
    attempt.log.append('stdout', this.#clock.nowMs(), new TextEncoder().encode(text));
    for (const { log } of this.#listeners) for (const tell of log) tell(attemptId, attempt.log.end);
  }

  #launch(launch: Launch): AttemptStatus {
    const known = this.#attempts.get(launch.attemptId);
    if (known) return present(known);
    const newest = this.#epochs.get(launch.workloadId);
    if (newest && compareEpochs(launch.epoch, newest) < 0) {
      const message = `A newer attempt of workload ${launch.workloadId} was launched here already.`;
      throw new CodedError(message, { code: 'stale-epoch' });
    }
    if (!this.#contacts.mayBegin(launch))
      throw new CodedError('It was ordered too long ago.', { code: 'no-contact' });
    this.#epochs.set(launch.workloadId, launch.epoch);
    const attempt = this.#accept(launch);
    this.#contacts.watch(OWNER, launch);
    const startMs = attempt.run.startMs ?? this.#options.startMs ?? 1 + 4 * this.#random.fraction();
    attempt.timers.push(this.#clock.after(startMs, () => this.#prepare(attempt)));
    return attempt.status;
  }

  #prepare(attempt: VirtualAttempt): void {
    const { prepareMs } = attempt.run;
    if (prepareMs === undefined) return this.#start(attempt);
    if (attempt.status.state === 'accepted') this.#change(attempt, { state: 'preparing' });
    attempt.timers.push(this.#clock.after(prepareMs, () => this.#start(attempt)));
  }

  #release(attemptId: string): void {
    const attempt = this.#attempts.get(attemptId);
    if (!attempt?.launch.barrier || attempt.isReleased) return;
    attempt.isReleased = true;
    if (attempt.status.state === 'ready') this.#start(attempt);
  }

  #accept(launch: Launch): VirtualAttempt {
    const { script = scriptOf, maxLogBytes = 1024 * 1024 } = this.#options;
    const attempt: VirtualAttempt = {
      launch,
      run: script(launch),
      log: SegmentLog.open(
        { segments: this.#disk },
        { folder: launch.attemptId, maxBytes: maxLogBytes, segmentBytes: maxLogBytes / 4 },
      ),
      timers: [],
      isReleased: false,
      status: {
        attemptId: launch.attemptId,
        epoch: launch.epoch,
        revision: 1,
        state: 'accepted',
        acceptedAtMs: this.#clock.nowMs(),
        sandbox: 'none',
        limitations: ['virtual'],
        logEnd: 0,
      },
    };
    this.#attempts.set(launch.attemptId, attempt);
    this.#tell(attempt);
    return attempt;
  }

  #start(attempt: VirtualAttempt): void {
    const { durationMs, exitCode = 0, output = [], failure } = attempt.run;
    if (failure !== undefined)
      return this.#end(attempt, { state: 'killed', reason: 'launch-failed', message: failure });
    if (attempt.status.state === 'stopping' || isTerminal(attempt.status.state)) return;
    if (attempt.launch.barrier && !attempt.isReleased) {
      if (attempt.status.state !== 'ready') this.#change(attempt, { state: 'ready' });
      return;
    }
    this.#change(attempt, { state: 'running', startedAtMs: this.#clock.nowMs() });
    for (const { atMs, text } of output) {
      attempt.timers.push(this.#clock.after(atMs, () => this.print(attempt.launch.attemptId, text)));
    }
    if (durationMs === Infinity) return;
    attempt.timers.push(
      this.#clock.after(durationMs, () => this.#end(attempt, { state: 'exited', exitCode })),
    );
  }

  #stop(
    attemptId: string,
    { graceMs, reason = 'stopped' }: { readonly graceMs: number; readonly reason?: EndReason },
  ): void {
    const attempt = this.#attempts.get(attemptId);
    if (!attempt || isTerminal(attempt.status.state)) return;
    if (attempt.status.state !== 'stopping') this.#change(attempt, { state: 'stopping' });
    const polite = !attempt.run.stubborn && graceMs > 0;
    const signal = polite ? 'SIGTERM' : 'SIGKILL';
    const delayMs = polite ? 1 : graceMs;
    const end = (): void => this.#end(attempt, { state: 'killed', signal, reason });
    attempt.timers.push(this.#clock.after(delayMs, end));
  }

  #disconnected(attemptId: string): void {
    const graceMs = this.#attempts.get(attemptId)?.launch.spec.stopGraceMs ?? 0;
    this.#stop(attemptId, { graceMs, reason: 'disconnected' });
  }

  #end(attempt: VirtualAttempt, change: Partial<AttemptStatus>): void {
    if (isTerminal(attempt.status.state)) return;
    this.#contacts.forget(attempt.launch.attemptId);
    for (const timer of attempt.timers) timer.cancel();
    this.#change(attempt, { ...change, finishedAtMs: this.#clock.nowMs() });
  }

  #change(attempt: VirtualAttempt, change: Partial<AttemptStatus>): void {
    const { revision } = attempt.status;
    attempt.status = { ...attempt.status, ...change, revision: revision + 1, logEnd: attempt.log.end };
    this.#tell(attempt);
  }

  #tell({ status }: VirtualAttempt): void {
    this.#changes += 1;
    for (const listeners of this.#listeners) for (const tell of listeners.status) tell(status);
  }

  #forget(attemptIds: readonly string[]): void {
    for (const attemptId of attemptIds) {
      const attempt = this.#attempts.get(attemptId);
      if (!attempt || !isTerminal(attempt.status.state)) continue;
      attempt.log.remove();
      this.#attempts.delete(attemptId);
      this.#changes += 1;
    }
  }

  #exec(attemptId: string, { command }: ExecRequest): ExecResult {
    this.#requireRunning(attemptId);
    const stdout = new TextEncoder().encode(`${command.join(' ')}\n`);
    return { exitCode: 0, stdout, stderr: new Uint8Array(), truncated: false, timedOut: false };
  }

  #stats(attemptId: string): ExecutionStats {
    const { status } = this.#requireRunning(attemptId);
    const cpuMs = this.#clock.nowMs() - (status.startedAtMs ?? this.#clock.nowMs());
    return { cpuMs, memoryBytes: 1024 * 1024, processes: 1 };
  }

  #readLog(attemptId: string, position: number, maxBytes: number): LogSlice {
    const attempt = this.#attempts.get(attemptId);
    return attempt?.log.read(position, maxBytes) ?? { position: 0, records: new Uint8Array(), end: 0 };
  }

  #requireRunning(attemptId: string): VirtualAttempt {
    const attempt = this.#attempts.get(attemptId);
    if (attempt?.status.state === 'running') return attempt;
    throw new CodedError(`Attempt ${attemptId} is not running.`, { code: 'attempt-not-running' });
  }
}

/**
 * The default script: `sleep 5` sleeps, `false` fails, everything else succeeds at once; VIRTUAL_MS,
 * VIRTUAL_EXIT and VIRTUAL_OUTPUT in the environment say otherwise. Parts of the output that form feeds
 * separate are printed one after the other, evenly over the run.
 */
export function scriptOf({ spec }: Launch): VirtualRun {
  const [program = '', argument = '0'] = spec.command;
  const { VIRTUAL_MS, VIRTUAL_EXIT, VIRTUAL_OUTPUT } = spec.env;
  const durationMs = Number(VIRTUAL_MS ?? (program === 'sleep' ? 1000 * Number(argument) : 1));
  const exitCode = Number(VIRTUAL_EXIT ?? (program === 'false' ? 1 : 0));
  const parts = VIRTUAL_OUTPUT?.split('\f') ?? [];
  const output = parts.map((text, index) => ({ atMs: (durationMs * index) / parts.length, text }));
  return { durationMs, exitCode, output };
}

function present({ status, log }: VirtualAttempt): AttemptStatus {
  return isTerminal(status.state) ? status : { ...status, logEnd: log.end };
}

function detached(): CodedError {
  return new CodedError('This agent let go of its supervisor.', { code: 'supervisor-lost' });
}

/** Thousandths that it has of each of its devices. */
export function milliOf({ spec }: Pick<Launch, 'spec'>): number {
  return spec.resources.gpuMilli ?? 1000;
}
