import type { AttemptStatus, EndReason, Epoch } from '@clawbernetes/protocol';
import { isTerminal } from '@clawbernetes/protocol/attempt';
import { compareEpochs } from '@clawbernetes/protocol/epoch';
import type { ExecutionHandle, Launch } from '../execution/executor.ts';

/** Newest epochs remembered, one per workload; beyond it the ones raised longest ago are given up. */
const MAX_EPOCHS = 10_000;

/**
 * Forgotten attempts that are remembered as such, so that a launch that comes late or again does not run them
 * anew.
 */
const MAX_FORGOTTEN = 10_000;

/** An order to stop, kept so that it outlives a restart of the supervisor. */
export interface StopOrder {
  readonly graceMs: number;
  readonly reason: EndReason;
}

/** What is durably known of an attempt. The last three are there while it lives only. */
export interface AttemptEntry {
  /** Id of the node whose agent launched it; no other agent sees it. */
  readonly owner: string;
  readonly status: AttemptStatus;
  readonly launch?: Launch;
  readonly handle?: ExecutionHandle;
  readonly stop?: StopOrder;
}

export type JournalRecord =
  | { readonly type: 'boot'; readonly format: 1; readonly bootId: string }
  | { readonly type: 'attempt'; readonly entry: AttemptEntry }
  | {
      readonly type: 'changed';
      readonly status: AttemptStatus;
      readonly handle?: ExecutionHandle;
      readonly stop?: StopOrder;
    }
  | { readonly type: 'forgotten'; readonly attemptIds: readonly string[] }
  /** On the clock of the boot in which it was written, see `machineUptimeMs`. */
  | { readonly type: 'contact'; readonly owner: string; readonly sentMs: number }
  | { readonly type: 'epoch'; readonly workloadId: string; readonly epoch: Epoch };

/**
 * The attempts of a node, as the sum of the journal's records. Replaying them in order gives the same state
 * again.
 */
export class SupervisorState {
  readonly #attempts = new Map<string, AttemptEntry>();
  readonly #epochs = new Map<string, Epoch>();
  readonly #forgotten = new Set<string>();
  readonly #contacts = new Map<string, number>();
  #bootId: string | undefined;
  #live = 0;

  /** Boot of the machine in which the last records were written. */
  get bootId(): string | undefined {
    return this.#bootId;
  }

  get size(): number {
    return this.#attempts.size;
  }

  /** Attempts that have not ended. */
  get live(): number {
    return this.#live;
  }

  /** When each owner last had contact with its gateway, in this boot. */
  get contacts(): ReadonlyMap<string, number> {
    return this.#contacts;
  }

  attempt(attemptId: string): AttemptEntry | undefined {
    return this.#attempts.get(attemptId);
  }

  attempts(): Iterable<AttemptEntry> {
    return this.#attempts.values();
  }

  /** Whether the attempt has ended and was forgotten, not too long ago. */
  wasForgotten(attemptId: string): boolean {
    return this.#forgotten.has(attemptId);
  }

  /** Takes back an attempt that could not be recorded. */
  withdraw(attemptId: string): void {
    this.#delete(attemptId);
  }

  /** Whether a newer epoch than this was seen for the workload. */
  isStale(workloadId: string, epoch: Epoch): boolean {
    const newest = this.#epochs.get(workloadId);
    return newest !== undefined && compareEpochs(epoch, newest) < 0;
  }

  apply(record: JournalRecord): void {
    switch (record.type) {
      case 'boot':
        if (this.#bootId !== record.bootId) this.#contacts.clear();
        this.#bootId = record.bootId;
        return;
      case 'contact':
        this.#contacts.set(record.owner, record.sentMs);
        return;
      case 'epoch':
        return this.#raiseEpoch(record.workloadId, record.epoch);
      case 'forgotten':
        for (const attemptId of record.attemptIds) this.#forget(attemptId);
        return;
      case 'attempt':
        if (record.entry.launch) this.#raiseEpoch(record.entry.launch.workloadId, record.entry.launch.epoch);
        return this.#put(record.entry);
      case 'changed':
        return this.#change(record);
      default:
      // A record of a newer version: what it says is not known here, and the rest still counts.
    }
  }

  /** The shortest journal that gives this state. */
  *records(): Generator<JournalRecord, void> {
    if (this.#bootId !== undefined) yield { type: 'boot', format: 1, bootId: this.#bootId };
    for (const [workloadId, epoch] of this.#epochs) yield { type: 'epoch', workloadId, epoch };
    if (this.#forgotten.size > 0) yield { type: 'forgotten', attemptIds: [...this.#forgotten] };
    for (const [owner, sentMs] of this.#contacts) yield { type: 'contact', owner, sentMs };
    for (const entry of this.#attempts.values()) yield { type: 'attempt', entry };
  }

  #change({ status, handle, stop }: JournalRecord & { type: 'changed' }): void {
    const entry = this.#attempts.get(status.attemptId);
    if (!entry) return;
    if (isTerminal(status.state)) return this.#put({ owner: entry.owner, status });
    this.#put({ ...entry, status, ...(handle && { handle }), ...(stop && { stop }) });
  }

  #put(entry: AttemptEntry): void {
    this.#delete(entry.status.attemptId, true);
    this.#attempts.set(entry.status.attemptId, entry);
    if (!isTerminal(entry.status.state)) this.#live += 1;
  }

  /** With `replacing` the entry keeps its place in the order. */
  #delete(attemptId: string, replacing = false): void {
    const entry = this.#attempts.get(attemptId);
    if (entry && !isTerminal(entry.status.state)) this.#live -= 1;
    if (!replacing) this.#attempts.delete(attemptId);
  }

  #forget(attemptId: string): void {
    this.#delete(attemptId);
    keepNewest(this.#forgotten.add(attemptId), MAX_FORGOTTEN);
  }

  #raiseEpoch(workloadId: string, epoch: Epoch): void {
    if (this.isStale(workloadId, epoch)) return;
    this.#epochs.delete(workloadId);
    this.#epochs.set(workloadId, epoch);
    keepNewest(this.#epochs, MAX_EPOCHS);
  }
}

/** Gives up what was added first, beyond `limit`. */
function keepNewest(items: Set<string> | Map<string, unknown>, limit: number): void {
  const [oldest] = items.keys();
  if (items.size > limit && oldest !== undefined) items.delete(oldest);
}
