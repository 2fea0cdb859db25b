import { ledgerError } from '../errors.ts';
import { itemCount } from '../journal/apply-frame.ts';
import { operationBytes, type Operation } from '../journal/frame.ts';
import { MAX_BATCH_ITEMS } from '../machine/transfer-record.ts';

export interface RequestQueueLimits {
  /** Most that waits for its turn, what is still being verified included. */
  readonly maxQueuedBytes: number;
  readonly maxQueuedRequests: number;
  /** Most bytes of one frame; a single request may be longer. */
  readonly frameBytes: number;
}

/** Somebody who waits for an answer. */
export interface Waiting {
  readonly operation: Operation;
  readonly resolve: (results: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** What waits to be booked, in the order of its coming, within limits. */
export class RequestQueue {
  readonly #limits: RequestQueueLimits;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #requests = 0;
  #newest: Promise<unknown> = Promise.resolve();

  constructor(limits: RequestQueueLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves once all that waits now is answered, or refused. */
  get newest(): Promise<unknown> {
    return this.#newest;
  }

  /**
   * Takes room, until `leave` or until it is taken from the queue. @throws CodedError `ledger-overloaded`.
   */
  admit(operation: Operation): void {
    const bytes = operationBytes(operation);
    const { maxQueuedBytes, maxQueuedRequests } = this.#limits;
    if (this.#bytes + bytes > maxQueuedBytes || this.#requests >= maxQueuedRequests) {
      const message = 'Too much waits to be booked. Try again in a moment, under the same ids.';
      throw ledgerError(message, { code: 'ledger-overloaded' });
    }
    this.#occupy(bytes, 1);
  }

  /** It will not be added. */
  leave(operation: Operation): void {
    this.#occupy(-operationBytes(operation), -1);
  }

  /** Adds what was admitted. */
  add(operation: Operation): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.push({ operation, resolve, reject });
    this.#newest = promise.catch(() => undefined);
    return promise;
  }

  /** Adds what makes room, however much waits. */
  addBeyond(operation: Operation): Promise<Uint8Array> {
    this.#occupy(operationBytes(operation), 1);
    return this.add(operation);
  }

  /** As many of those that wait as fit into a frame, but at least one. */
  take(): readonly Waiting[] {
    let [count, bytes, items] = [0, 0, 0];
    for (const { operation } of this.#waiting) {
      const [length, more] = [operationBytes(operation), itemCount(operation)];
      const isFull = bytes + length > this.#limits.frameBytes || items + more > MAX_BATCH_ITEMS;
      if (count > 0 && isFull) break;
      count += 1;
      bytes += length;
      items += more;
    }
    this.#occupy(-bytes, -count);
    return this.#waiting.splice(0, count);
  }

  /** Refuses all that wait. */
  refuse(error: Error): void {
    for (const { operation, reject } of this.#waiting.splice(0)) {
      this.leave(operation);
      reject(error);
    }
  }

  #occupy(bytes: number, requests: number): void {
    this.#bytes += bytes;
    this.#requests += requests;
  }
}
