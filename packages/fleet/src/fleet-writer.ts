import type { Clock } from '@clawbernetes/kernel';
import type { Cause, EventView } from '@clawbernetes/protocol';
import type { RowChange, Store } from '@clawbernetes/storage';
import { eventRow } from './rows.ts';

export interface NewEvent {
  readonly namespace: string;
  readonly type: string;
  readonly subject: string;
  readonly cause: Cause;
  readonly message: string;
  readonly facts?: EventView['facts'];
}

/**
 * The one way in which the fleet's state becomes durable. Whatever changes in one turn of the event loop is one batch:
 * rows, their events (numbered here, without gaps) and the actions to take once they are stored. Nothing leaves the
 * gateway – no frame, no answer, no live event – before its batch is durable.
 */
export class FleetWriter {
  readonly #deps: { readonly clock: Clock; readonly store: Pick<Store, 'submit'> };
  #sequence: number;
  #rows: RowChange[] = [];
  #events: EventView[] = [];
  #actions: (() => void)[] = [];
  #turn: Promise<void> | undefined;
  #stored: Promise<void> = Promise.resolve();
  #beforeSubmit: () => void = () => undefined;
  #onEvents: (events: readonly EventView[]) => void = () => undefined;

  constructor(deps: { readonly clock: Clock; readonly store: Pick<Store, 'submit'> }, lastSequence: number) {
    this.#deps = deps;
    this.#sequence = lastSequence;
  }

  /** Number of the newest event, stored or about to be. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Called before each batch is closed: the place for work that should happen once per turn, such as planning. */
  beforeSubmit(hook: () => void): void {
    this.#beforeSubmit = hook;
  }

  onEvents(listener: (events: readonly EventView[]) => void): void {
    this.#onEvents = listener;
  }

  write(...changes: readonly RowChange[]): void {
    this.#rows.push(...changes);
    void this.#begin();
  }

  record(event: NewEvent): void {
    this.#sequence += 1;
    const stored = {
      facts: {},
      ...event,
      message: storable(event.message),
      sequence: this.#sequence,
      timeMs: this.#deps.clock.nowMs(),
    };
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
    this.#beforeSubmit();
    const rows = this.#rows;
    const events = this.#events;
    const actions = this.#actions;
    this.#rows = [];
    this.#events = [];
    this.#actions = [];
    this.#turn = undefined;
    // A turn that writes nothing still waits for those before it: what it did may rest on them.
    if (rows.length > 0) this.#stored = this.#deps.store.submit(rows);
    await this.#stored;
    if (events.length > 0) this.#onEvents(events);
    for (const action of actions) action();
  }
}

/** A message may quote a node; what no database holds as text must not fail the batch. */
function storable(message: string): string {
  return message.replaceAll('\0', '\uFFFD').toWellFormed();
}
