import { BoundedQueue } from '@clawbernetes/kernel';
import type { EncodedBatch, GroupOutcome } from './row-shape.ts';
import { StorageFault } from './storage-fault.ts';
import type { StoreLimits, StoreStats } from './store.ts';

interface Waiting {
  readonly batch: EncodedBatch;
  resolve(): void;
  reject(fault: StorageFault): void;
}

export interface CommitQueueDeps {
  commit(group: readonly EncodedBatch[]): Promise<GroupOutcome>;
  onFault(fault: StorageFault): void;
}

/**
 * Group commit: whatever was submitted while one transaction was under way goes into the next one together.
 * One transaction is in flight at a time, so order needs no other care.
 */
export class CommitQueue {
  readonly #deps: CommitQueueDeps;
  readonly #limits: StoreLimits;
  readonly #waiting: BoundedQueue<Waiting>;
  readonly #counts = { transactions: 0, batches: 0, changes: 0 };
  #queuedBytes = 0;
  #inFlight: readonly Waiting[] = [];
  #scheduled = false;
  #fault: StorageFault | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(deps: CommitQueueDeps, limits: StoreLimits) {
    this.#deps = deps;
    this.#limits = limits;
    this.#waiting = new BoundedQueue(limits.maxQueuedBatches);
  }

  stats(): StoreStats {
    const queuedBatches = this.#waiting.size + this.#inFlight.length;
    return { ...this.#counts, queuedBatches, queuedBytes: this.#queuedBytes };
  }

  /** Rejects with a StorageFault. */
  submit(batch: EncodedBatch): Promise<void> {
    if (this.#fault) return Promise.reject(laterFault(this.#fault));
    if (this.#isFull(batch)) return Promise.reject(new StorageFault('storage-overloaded', this.#load()));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ batch, resolve, reject });
    this.#queuedBytes += batch.bytes;
    this.#schedule();
    return promise;
  }

  /** Refuses everything from now on; what is in flight settles by itself. */
  fail(fault: StorageFault): void {
    if (this.#fault) return;
    this.#fault = fault;
    for (const waiting of this.#waiting.drain()) this.#settle(waiting, laterFault(fault));
    this.#deps.onFault(fault);
    this.#settleIdle();
  }

  /** Resolves once nothing is waiting or in flight. */
  idle(): Promise<void> {
    this.#idle ??= Promise.withResolvers<void>();
    const { promise } = this.#idle;
    this.#settleIdle();
    return promise;
  }

  #isFull(batch: EncodedBatch): boolean {
    const { maxQueuedBatches, maxQueuedBytes } = this.#limits;
    if (this.#waiting.size + this.#inFlight.length >= maxQueuedBatches) return true;
    return this.#queuedBytes > 0 && this.#queuedBytes + batch.bytes > maxQueuedBytes;
  }

  #load(): string {
    return `${this.#waiting.size + this.#inFlight.length} batches, ${this.#queuedBytes} bytes waiting`;
  }

  /** At the end of the tick, so that batches submitted together share even the first transaction. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      void this.#commitNext(); // never rejects: every failure becomes a fault
    });
  }

  async #commitNext(): Promise<void> {
    if (this.#inFlight.length > 0 || this.#waiting.size === 0) return;
    const group = this.#takeGroup();
    this.#inFlight = group;
    const outcome = await this.#commit(group);
    this.#inFlight = [];
    this.#counts.transactions += outcome.committed > 0 ? 1 : 0;
    for (const waiting of group.slice(0, outcome.committed)) this.#acknowledge(waiting);
    if (outcome.fault) this.#failGroup(group.slice(outcome.committed), outcome.fault);
    this.#settleIdle();
    if (this.#waiting.size > 0) this.#schedule();
  }

  #takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    let bytes = 0;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      bytes += next.batch.bytes;
      const isFull = group.length >= this.#limits.maxGroupBatches || bytes > this.#limits.maxGroupBytes;
      if (group.length > 0 && isFull) break;
      group.push(next);
      this.#waiting.shift();
    }
    return group;
  }

  async #commit(group: readonly Waiting[]): Promise<{ committed: number; fault?: StorageFault }> {
    try {
      const { committed, fault } = await this.#deps.commit(group.map(({ batch }) => batch));
      if (fault === undefined) return { committed };
      return { committed, fault: new StorageFault(fault.code, fault.detail) };
    } catch (error) {
      const fault = error instanceof StorageFault ? error : new StorageFault('storage-failed', String(error));
      return { committed: 0, fault };
    }
  }

  #failGroup([failed, ...later]: readonly Waiting[], fault: StorageFault): void {
    if (failed) this.#settle(failed, fault);
    for (const waiting of later) this.#settle(waiting, laterFault(fault));
    this.fail(fault);
  }

  #acknowledge(waiting: Waiting): void {
    this.#counts.batches += 1;
    this.#counts.changes += waiting.batch.shapes.length;
    this.#settle(waiting);
  }

  #settle(waiting: Waiting, fault?: StorageFault): void {
    this.#queuedBytes -= waiting.batch.bytes;
    if (fault) waiting.reject(fault);
    else waiting.resolve();
  }

  #settleIdle(): void {
    if (this.#waiting.size === 0 && this.#inFlight.length === 0) this.#idle?.resolve();
  }
}

function laterFault(cause: StorageFault): StorageFault {
  if (cause.code === 'storage-failed') return cause;
  return new StorageFault('storage-failed', `after ${cause.code}: ${cause.detail}`, { cause });
}
