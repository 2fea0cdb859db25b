import {
  type Clock,
  type CodedError,
  type Logger,
  present,
  type Random,
  sleep,
  type Timer,
} from '@clawbernetes/kernel';
import type { AttemptStatus } from '@clawbernetes/protocol';
import { isTerminal } from '@clawbernetes/protocol/attempt';
import type { LogSlice, SegmentLog } from '@clawbernetes/telemetry';
import type { ExecRequest, ExecResult, ExecutionStats, Executor, Launch } from '../execution/executor.ts';
import { acceptedStatus, changedStatus } from './attempt-machine.ts';
import { AttemptOutput, DEFAULT_OUTPUT_LIMITS, type OutputLimits } from './attempt-output.ts';
import { AttemptRunner } from './attempt-runner.ts';
import { ContactWatch } from './contact-watch.ts';
import type { Journal } from './journal.ts';
import { refuseUnfit } from './refuse-unfit.ts';
import { supervisorError } from './supervisor-error.ts';
import { type AttemptEntry, type JournalRecord, SupervisorState } from './supervisor-state.ts';

/** Attempts kept, the ended ones included until they are forgotten. */
const DEFAULT_MAX_ATTEMPTS = 20_000;
/** After the journal could not be written: the pause before it is tried again. */
const STORAGE_RETRY_MS = 1000;

/** For kills to take effect at a shutdown, after the grace. */
const SHUTDOWN_MARGIN_MS = 10_000;

export interface SupervisorCoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly journal: Pick<Journal, 'append' | 'withdraw' | 'flush' | 'compact' | 'wantsCompaction'>;
  /** What the journal held when it was opened. */
  readonly records: readonly JournalRecord[];
  /** Differs after each restart of the machine. */
  readonly bootId: string;
  executor(kind: Executor['kind']): Promise<Executor>;
  openLog(owner: string, attemptId: string): SegmentLog;
  /** See `Supervisor.uptimeMs`. */
  uptimeMs(): number;
  /** Calls back once the present turn of the event loop is over. */
  atTurnEnd(callback: () => void): void;
}

export interface SupervisorCoreOptions {
  readonly maxAttempts?: number;
  readonly output?: OutputLimits;
}

/** Told at the end of a turn, of its own attempts only. */
export interface SupervisorWatcher {
  readonly owner: string;
  /** In order per attempt. */
  statuses(statuses: readonly AttemptStatus[]): void;
  /** These logs have grown. */
  logs(attemptIds: ReadonlySet<string>): void;
}

interface PendingLaunch {
  readonly record: JournalRecord;
  readonly accepted: PromiseWithResolvers<AttemptStatus>;
}

/**
 * The node's attempts: accepts, starts, stops and remembers them. Everything that happens in a turn of the
 * event loop is written to the journal in one go at its end; only then is it acted upon, answered and told.
 */
export class SupervisorCore {
  readonly #deps: SupervisorCoreDeps;
  readonly #maxAttempts: number;
  readonly #outputLimits: OutputLimits;
  readonly #state = new SupervisorState();
  readonly #runners = new Map<string, AttemptRunner>();
  readonly #logs = new Map<string, SegmentLog>();
  readonly #watchers = new Set<SupervisorWatcher>();
  readonly #launching = new Map<string, PendingLaunch>();
  readonly #idle = new Set<() => void>();
  readonly #contacts: ContactWatch;
  #told: { readonly owner: string; readonly status: AttemptStatus }[] = [];
  #grown = new Map<string, Set<string>>();
  #durable = Promise.withResolvers<void>();
  #turnEnds = false;
  #stopping = false;
  #storageRetry: Timer | undefined;

  /** Replays the journal and takes over, in the background, what was alive. */
  constructor(
    deps: SupervisorCoreDeps,
    { maxAttempts = DEFAULT_MAX_ATTEMPTS, output }: SupervisorCoreOptions = {},
  ) {
    this.#deps = deps;
    this.#maxAttempts = maxAttempts;
    this.#outputLimits = output ?? DEFAULT_OUTPUT_LIMITS;
    const expired = (attemptId: string): void => this.#endWithoutContact(attemptId);
    this.#contacts = new ContactWatch({ ...deps, expired });
    for (const record of deps.records) this.#state.apply(record);
    const rebooted = this.#state.bootId !== undefined && this.#state.bootId !== deps.bootId;
    this.#commit({ type: 'boot', format: 1, bootId: deps.bootId });
    for (const [owner, sentMs] of this.#state.contacts) this.#contacts.contact(owner, sentMs);
    for (const entry of [...this.#state.attempts()]) {
      if (!isTerminal(entry.status.state)) this.#adopt(entry, rebooted);
    }
  }

  get liveAttempts(): number {
    return this.#state.live;
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /**
   * Answers once the attempt is in the journal; a known one answers its present status. See
   * `Supervisor.launch`.
   */
  async launch(owner: string, launch: Launch): Promise<AttemptStatus> {
    const { attemptId } = launch;
    const known = this.#state.attempt(attemptId);
    if (known && known.owner !== owner) {
      throw supervisorError(
        'attempt-of-other-owner',
        `Attempt ${attemptId} belongs to another node of this machine.`,
      );
    }
    if (known) return this.#launching.get(attemptId)?.accepted.promise ?? this.#presentOnceWritten(known);
    refuseUnfit(launch, {
      isStopping: this.#stopping,
      state: this.#state,
      contacts: this.#contacts,
      maxAttempts: this.#maxAttempts,
    });
    const record: JournalRecord = {
      type: 'attempt',
      entry: { owner, launch, status: acceptedStatus(launch, this.#deps.clock.nowMs()) },
    };
    const accepted = Promise.withResolvers<AttemptStatus>();
    this.#launching.set(attemptId, { record, accepted });
    this.#runners.set(attemptId, this.#runnerOf(record.entry, launch));
    this.#contacts.watch(owner, launch);
    this.#commit(record);
    return accepted.promise;
  }

  /**
   * Answers once the order is in the journal, or the journal could not be written: the stop goes on
   * regardless.
   */
  async stop(owner: string, attemptId: string, { graceMs }: { readonly graceMs: number }): Promise<void> {
    if (this.#state.attempt(attemptId)?.owner !== owner) return;
    const runner = this.#runners.get(attemptId);
    if (!runner) return;
    runner.stop({ graceMs, reason: 'stopped' });
    await this.#flushed();
  }

  /** The journal need not know: after a death of the supervisor what has not begun ends, and is made anew. */
  release(owner: string, attemptId: string): void {
    if (this.#state.attempt(attemptId)?.owner === owner) this.#runners.get(attemptId)?.release();
  }

  contact(owner: string, sentMs: number): void {
    if (this.#contacts.contact(owner, sentMs)) this.#commit({ type: 'contact', owner, sentMs });
  }

  /** The owner's attempts, in the order of their acceptance. */
  async list(owner: string): Promise<readonly AttemptStatus[]> {
    await this.#written();
    const own = [...this.#state.attempts()].filter((entry) => entry.owner === owner);
    return own.map((entry) => this.#present(entry));
  }

  /** Drops the ended ones among the owner's `attemptIds`, with their logs. */
  async forget(owner: string, attemptIds: readonly string[]): Promise<void> {
    const ended = attemptIds.filter((attemptId) => {
      const entry = this.#state.attempt(attemptId);
      return entry?.owner === owner && isTerminal(entry.status.state);
    });
    if (ended.length === 0) return;
    for (const attemptId of ended) {
      this.#log(owner, attemptId).remove();
      this.#logs.delete(attemptId);
    }
    this.#commit({ type: 'forgotten', attemptIds: ended });
    await this.#flushed();
  }

  async exec(owner: string, attemptId: string, request: ExecRequest): Promise<ExecResult> {
    return this.#running(owner, attemptId).exec(request);
  }

  async stats(owner: string, attemptId: string): Promise<ExecutionStats> {
    return this.#running(owner, attemptId).stats();
  }

  readLog(owner: string, attemptId: string, position: number, maxBytes: number): LogSlice {
    const known = this.#state.attempt(attemptId)?.owner === owner;
    if (!known) return { position: 0, records: new Uint8Array(), end: 0 };
    return this.#log(owner, attemptId).read(position, maxBytes);
  }

  all(): readonly AttemptStatus[] {
    return [...this.#state.attempts()].map(({ status }) => status);
  }

  /** Writes what this turn has brought, without waiting for its end. */
  flush(): void {
    this.#endTurn();
  }

  status(attemptId: string): AttemptStatus | undefined {
    return this.#state.attempt(attemptId)?.status;
  }

  logEnd(attemptId: string): number {
    return this.#logs.get(attemptId)?.end ?? 0;
  }

  watch(watcher: SupervisorWatcher): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  /** Takes no more work; answers false and goes on if there is work. */
  stopIfIdle(): boolean {
    this.#stopping ||= this.liveAttempts === 0;
    return this.liveAttempts === 0;
  }

  /**
   * Takes no more work, stops all there is and resolves when all has ended, or when what cannot be ended has
   * had its grace and more: the next supervisor takes that over.
   */
  async shutdown({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#stopping = true;
    const ended = new Promise<void>((resolve) => this.#idle.add(resolve));
    for (const runner of this.#runners.values()) runner.stop({ graceMs, reason: 'stopped' });
    this.#scheduleTurnEnd();
    await Promise.race([ended, sleep(this.#deps.clock, graceMs + SHUTDOWN_MARGIN_MS)]);
    const { liveAttempts } = this;
    if (liveAttempts > 0) this.#deps.logger.error('Some attempts could not be ended', { liveAttempts });
  }

  #runnerOf({ owner, status }: AttemptEntry, launch: Launch): AttemptRunner {
    const { clock, random, logger } = this.#deps;
    const { attemptId } = status;
    const grown = (): void => this.#noteGrown(owner, attemptId);
    const log = this.#log(owner, attemptId);
    const kind = launch.spec.image === undefined ? 'process' : 'container';
    return new AttemptRunner(
      {
        clock,
        random,
        logger,
        output: new AttemptOutput({ clock, logger, log, grown }, this.#outputLimits),
        executor: () => this.#deps.executor(kind),
        changed: (change, more) => {
          const entry = present(this.#state.attempt(attemptId), `attempt ${attemptId}`);
          const changed = changedStatus(entry.status, { logEnd: log.end, ...change });
          this.#told.push({ owner, status: changed });
          if (isTerminal(changed.state)) this.#release(attemptId, log);
          this.#commit({ type: 'changed', status: changed, ...more });
        },
      },
      launch,
    );
  }

  #endWithoutContact(attemptId: string): void {
    const graceMs = this.#state.attempt(attemptId)?.launch?.spec.stopGraceMs ?? 0;
    this.#runners.get(attemptId)?.stop({ graceMs, reason: 'disconnected' });
  }

  #release(attemptId: string, log: SegmentLog): void {
    this.#runners.delete(attemptId);
    this.#contacts.forget(attemptId);
    if (log.end === 0) this.#logs.delete(attemptId);
  }

  #adopt(entry: AttemptEntry, rebooted: boolean): void {
    const launch = present(entry.launch, 'launch of a living attempt');
    const runner = this.#runnerOf(entry, launch);
    this.#runners.set(launch.attemptId, runner);
    const { contactMs: _, ...afresh } = launch;
    // Times of an earlier boot mean nothing.
    this.#contacts.watch(entry.owner, rebooted ? afresh : launch);
    void runner.adopt(entry, rebooted ? 'node-restarted' : 'supervisor-lost');
  }

  #running(owner: string, attemptId: string): AttemptRunner {
    const runner = this.#state.attempt(attemptId)?.owner === owner && this.#runners.get(attemptId);
    if (runner) return runner;
    throw supervisorError('attempt-not-running', `Attempt ${attemptId} is not running on this node.`);
  }

  async #presentOnceWritten({ status: { attemptId } }: AttemptEntry): Promise<AttemptStatus> {
    await this.#written();
    return this.#present(present(this.#state.attempt(attemptId), `attempt ${attemptId}`));
  }

  #present({ owner, status }: AttemptEntry): AttemptStatus {
    return isTerminal(status.state) ? status : { ...status, logEnd: this.#log(owner, status.attemptId).end };
  }

  #log(owner: string, attemptId: string): SegmentLog {
    const log = this.#logs.get(attemptId) ?? this.#deps.openLog(owner, attemptId);
    this.#logs.set(attemptId, log);
    return log;
  }

  #noteGrown(owner: string, attemptId: string): void {
    const grown = this.#grown.get(owner) ?? new Set();
    this.#grown.set(owner, grown.add(attemptId));
    this.#scheduleTurnEnd();
  }

  #commit(record: JournalRecord): void {
    this.#state.apply(record);
    this.#deps.journal.append(record);
    this.#scheduleTurnEnd();
  }

  /** Resolves once what is known now is in the journal: nothing is told that its death could take back. */
  async #written(): Promise<void> {
    if (this.#turnEnds) await this.#durable.promise;
  }

  #flushed(): Promise<void> {
    this.#scheduleTurnEnd();
    return this.#durable.promise;
  }

  #scheduleTurnEnd(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    this.#deps.atTurnEnd(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#turnEnds = false;
    const failure = this.#deps.journal.flush();
    if (failure) this.#withdrawLaunches(failure);
    this.#durable.resolve();
    this.#durable = Promise.withResolvers();
    this.#startLaunches();
    this.#tellWatchers();
    if (this.liveAttempts === 0) for (const resolve of this.#idle) resolve();
    if (!failure && this.#deps.journal.wantsCompaction) this.#compact();
  }

  /**
   * What cannot be recorded is not started. Changes of running attempts are kept in memory and written later.
   */
  #withdrawLaunches(failure: CodedError): void {
    this.#deps.logger.error('The journal cannot be written', { error: failure.message });
    for (const [attemptId, { record, accepted }] of this.#launching) {
      this.#deps.journal.withdraw(record);
      this.#state.withdraw(attemptId);
      this.#runners.delete(attemptId);
      this.#contacts.forget(attemptId);
      this.#logs.delete(attemptId);
      accepted.reject(failure);
    }
    this.#launching.clear();
    if (this.#storageRetry) return;
    this.#storageRetry = this.#deps.clock.after(STORAGE_RETRY_MS, () => {
      this.#storageRetry = undefined;
      this.#scheduleTurnEnd();
    });
  }

  #startLaunches(): void {
    for (const [attemptId, { accepted }] of this.#launching) {
      const entry = present(this.#state.attempt(attemptId), 'a launching attempt');
      accepted.resolve(entry.status);
      void this.#runners.get(attemptId)?.run();
    }
    this.#launching.clear();
  }

  #tellWatchers(): void {
    const [told, grown] = [this.#told, this.#grown];
    this.#told = [];
    this.#grown = new Map();
    for (const watcher of this.#watchers) {
      const statuses = told.filter(({ owner }) => owner === watcher.owner).map(({ status }) => status);
      if (statuses.length > 0) watcher.statuses(statuses);
      const logs = grown.get(watcher.owner);
      if (logs) watcher.logs(logs);
    }
  }

  #compact(): void {
    const failure = this.#deps.journal.compact(this.#state.records());
    if (failure) this.#deps.logger.warn('The journal cannot be shortened', { error: failure.message });
  }
}
