import { availableParallelism } from 'node:os';
import { present } from '@clawbernetes/kernel';
import type { Operation } from '../journal/frame.ts';
import { VerifierThread } from './verifier-thread.ts';

type Lane = Pick<VerifierThread, 'ask' | 'end' | 'isOver' | 'load'>;

export interface SignatureVerifierOptions {
  readonly threads?: number;
  readonly startThread?: () => Lane;
}

/**
 * Verifies signatures in threads of their own: an Ed25519 verification takes longer than all the rest of a
 * request. Each request goes to whichever thread has least to do, and all are answered in the order in which
 * they came: nonces rise, so what one signer sends without waiting for answers has to keep its order, and
 * whose an order is nobody knows before it is read. A slow one holds up those after it by its own time, some
 * ms at most; how many wait the caller bounds.
 */
export class SignatureVerifier implements AsyncDisposable {
  readonly #size: number;
  readonly #startThread: () => Lane;
  #lanes: readonly Lane[] = [];
  /** Of the request before. */
  #answered: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({
    threads = Math.max(1, availableParallelism() - 1),
    startThread = () => new VerifierThread(),
  }: SignatureVerifierOptions = {}) {
    this.#size = threads;
    this.#startThread = startThread;
  }

  /** Whether the operation carries a valid signature for this ledger. */
  verify(operation: Operation, ledgerId: string): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new Error('Signatures are verified no more.'));
    const verdict = this.#freest().ask({ operation, ledgerId });
    verdict.catch(ignore); // heard in its turn
    const turn = this.#answered.then(() => verdict);
    this.#answered = turn.then(ignore, ignore);
    return turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#lanes.map((lane) => lane.end()));
  }

  /** Threads start with the first request that needs one, and again where one has failed. */
  #freest(): Lane {
    if (this.#lanes.length < this.#size || this.#lanes.some(({ isOver }) => isOver)) {
      const alive = this.#lanes.filter(({ isOver }) => !isOver);
      const started = Array.from({ length: this.#size - alive.length }, this.#startThread);
      this.#lanes = [...alive, ...started];
    }
    let freest = present(this.#lanes[0], 'a thread that verifies');
    for (const lane of this.#lanes) if (lane.load < freest.load) freest = lane;
    return freest;
  }
}

function ignore(): void {}
