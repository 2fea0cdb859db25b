import { errorMessage, PacedLine, type Clock, type Logger } from '@clawbernetes/kernel';
import type { Cause, EventView } from '@clawbernetes/protocol';
import type { RowChange, Store } from '@clawbernetes/storage';
import type { AttemptRecord, WorkloadRecord } from './records.ts';
import { eventRow } from './rows.ts';
import { TurnRows } from './turn-rows.ts';

export interface NewEvent {
  readonly namespace: string;
  readonly type: string;
  readonly subject: string;
  readonly cause: Cause;
  readonly message: string;
  readonly facts?: EventView['facts'];
}

export interface FleetWriterDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Pick<Store, 'submit'>;
}

/** What is due after commits is done for so long at a time, ms; looked at after so many. */
const ACTIONS_MS = 5;
const ACTIONS_AT_ONCE = 20;

/**
 * The one way in which the fleet's state becomes durable. Whatever changes in one turn of the event loop is
 * one batch: rows, their events (numbered here, without gaps) and the actions to take once they are stored.
 * Nothing leaves the gateway – no frame, no answer, no live event – before its batch is durable.
 */
export class FleetWriter {
  readonly #deps: FleetWriterDeps;
  #sequence: number;
  #rows = new TurnRows();
  #events: EventView[] = [];
  #actions: (() => void)[] = [];
  #turn: Promise<void> | undefined;
  #stored: Promise<void> = Promise.resolve();
  #beforeSubmit: () => void = () => undefined;
  #onEvents: (events: readonly EventView[]) => void = () => undefined;
  #onFailed: (error: unknown) => void = () => undefined;
  #failure: Error | undefined;
  #unstoredRows = 0;
  /** What is due after commits. */
  readonly #due: PacedLine;

  constructor(deps: FleetWriterDeps, lastSequence: number) {
    this.#deps = deps;
    this.#due = new PacedLine(deps.clock, ACTIONS_MS);
    this.#sequence = lastSequence;
  }

  /** Number of the newest event, stored or about to be. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Called before each batch is closed: the place for work that should happen once per turn, such as
   * planning.
   */
  beforeSubmit(hook: () => void): void {
    this.#beforeSubmit = hook;
  }

  onEvents(listener: (events: readonly EventView[]) => void): void {
    this.#onEvents = listener;
  }

  /** Called once, when a batch could not be stored: this memory must be given up and read anew. */
  onFailed(listener: (error: unknown) => void): void {
    this.#onFailed = listener;
  }

  /** Rows handed to the store that are not durable yet. */
  get unstoredRows(): number {
    return this.#unstoredRows;
  }

  write(...changes: readonly RowChange[]): void {
    this.#rows.other(changes);
    void this.#begin();
  }

  writeWorkload(workload: WorkloadRecord, isNew: { readonly first: boolean }): void {
    this.#rows.workload(workload, isNew);
    void this.#begin();
  }

  writeAttempt(attempt: AttemptRecord, isNew = { first: false }): void {
    this.#rows.attempt(attempt, isNew);
    void this.#begin();
  }

  record({ namespace, type, subject, cause, message, facts = {} }: NewEvent): void {
    this.#sequence += 1;
    const [sequence, timeMs] = [this.#sequence, this.#deps.clock.nowMs()];
    const stored = { sequence, timeMs, namespace, type, subject, cause, message: storable(message), facts };
    this.#events.push(stored);
    this.write(eventRow(stored));
  }

  /** Runs `action` once everything written so far is durable; never if that fails. */
  whenDurable(action: () => void): void {
    this.#actions.push(action);
    void this.#begin();
  }

  /** Resolves when everything written so far is durable. */
  durable(): Promise<void> {
    return this.#begin();
  }

  #begin(): Promise<void> {
    if (this.#turn === undefined) {
      this.#turn = Promise.resolve().then(() => this.#submit());
      // Whoever waits hears of a failure; the store tells its owner in any case.
      this.#turn.catch(() => undefined);
    }
    return this.#turn;
  }

  async #submit(): Promise<void> {
    const { rows, events, actions } = this.#close();
    if (this.#failure !== undefined) throw this.#failure;
    // A turn that writes nothing still waits for those before it: what it did may rest on them.
    if (rows.length > 0) this.#stored = this.#store(rows);
    await this.#stored;
    if (events.length > 0) this.#due.do(() => this.#run(() => this.#onEvents(events)));
    for (let at = 0; at < actions.length; at += ACTIONS_AT_ONCE)
      this.#due.do(() => this.#runSome(actions, at));
    await this.#due.done();
  }

  /** Ends the turn: what is written from now on belongs to the next. */
  #close(): { rows: readonly RowChange[]; events: readonly EventView[]; actions: readonly (() => void)[] } {
    try {
      this.#beforeSubmit();
    } catch (error) {
      this.#fail(error);
    }
    const turn = { rows: this.#rows.changes(), events: this.#events, actions: this.#actions };
    this.#rows = new TurnRows();
    this.#events = [];
    this.#actions = [];
    this.#turn = undefined;
    return turn;
  }

  async #store(rows: readonly RowChange[]): Promise<void> {
    this.#unstoredRows += rows.length;
    try {
      await this.#deps.store.submit(rows);
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#unstoredRows -= rows.length;
    }
  }

  /** Memory is ahead of the store for good: whatever came later would rest on rows that are not there. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error instanceof Error ? error : new Error(errorMessage(error));
    this.#onFailed(error);
  }

  #runSome(actions: readonly (() => void)[], from: number): void {
    for (const action of actions.slice(from, from + ACTIONS_AT_ONCE)) this.#run(action);
  }

  /** One that fails is a defect, but no reason to keep the others' frames and answers back. */
  #run(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#deps.logger.error('what was due after a commit failed', { error: errorMessage(error) });
    }
  }
}

/** A message may quote a node; what no database holds as text must not fail the batch. */
function storable(message: string): string {
  return message.includes('\0') || !message.isWellFormed()
    ? message.replaceAll('\0', '\uFFFD').toWellFormed()
    : message;
}
