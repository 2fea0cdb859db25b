import { BinaryHeap, type Clock, type Timer } from '@clawbernetes/kernel';
import type { WorkloadRecord } from '../../records.ts';

interface Delayed {
  readonly workloadId: string;
  /** On the monotonic clock. */
  readonly dueMs: number;
}

/**
 * Workloads that begin anew after a delay. The record says when by the wall clock, so that a restart of the
 * gateway keeps it; from when it is first seen the monotonic clock counts, so that setting the other changes
 * nothing, and never more than the whole delay is waited for.
 */
export class DelayedStarts {
  readonly #clock: Clock;
  readonly #onDue: (workloadIds: readonly string[]) => void;
  readonly #delayed = new Map<string, Delayed>();
  /** The first that is due comes first; those that were removed are passed over. */
  readonly #order = new BinaryHeap<Delayed>((left, right) => left.dueMs < right.dueMs);
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;

  /** @param onDue called in a turn of its own with those whose delay is over. */
  constructor(clock: Clock, onDue: (workloadIds: readonly string[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#delayed.size;
  }

  /** Answers false, and takes it not, if its delay is over. */
  add({ id, anew }: WorkloadRecord): boolean {
    if (!anew) return false;
    const leftMs = Math.min(anew.delayMs, anew.notBeforeMs - this.#clock.nowMs());
    if (leftMs <= 0) return false;
    const delayed = { workloadId: id, dueMs: this.#clock.monotonicMs() + leftMs };
    this.#delayed.set(id, delayed);
    this.#order.push(delayed);
    this.#arm();
    return true;
  }

  remove(workloadId: string): void {
    this.#delayed.delete(workloadId);
  }

  /** Until its delay is over, ms; undefined if it waits for none. */
  leftMs(workloadId: string): number | undefined {
    const delayed = this.#delayed.get(workloadId);
    return delayed && Math.max(0, delayed.dueMs - this.#clock.monotonicMs());
  }

  close(): void {
    this.#timer?.timer.cancel();
    this.#delayed.clear();
  }

  #arm(): void {
    const { first } = this.#order;
    if (!first || (this.#timer && this.#timer.dueMs <= first.dueMs)) return;
    this.#timer?.timer.cancel();
    const leftMs = Math.max(0, first.dueMs - this.#clock.monotonicMs());
    const timer = this.#clock.after(leftMs, () => this.#fire());
    this.#timer = { timer, dueMs: first.dueMs };
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    const due: string[] = [];
    for (let { first } = this.#order; first && first.dueMs <= nowMs; first = this.#order.first) {
      this.#order.pop();
      // One that was removed, or is there again with another delay, is not this one.
      if (this.#delayed.get(first.workloadId) !== first) continue;
      this.#delayed.delete(first.workloadId);
      due.push(first.workloadId);
    }
    this.#arm();
    if (due.length > 0) this.#onDue(due);
  }
}
