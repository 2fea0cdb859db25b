import { CodedError, type Clock, type Timer } from '@clawbernetes/kernel';
import { apiError } from '@clawbernetes/protocol';
import { goOn, type Sliced } from '../scheduler/slices.ts';
import { WorkBudget } from '../scheduler/work-budget.ts';

/** Questions that are answered or wait for that; each takes some tens of turns in a large fleet. */
const MAX_ASKED = 64;
const RETRY_AFTER_MS = 1000;

interface Asked {
  /** Does nothing more once it has settled what was promised. */
  readonly answering: Sliced<void>;
  readonly fail: (error: unknown) => void;
}

/**
 * Answers questions one after the other, in each turn of the event loop a piece: whatever else waits for the
 * event loop comes in between.
 */
export class QuestionTurns {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #looksPerTurn: number;
  /** The first is being answered. */
  readonly #asked: Asked[] = [];
  /** The turn in which the next piece is done. */
  #next: Timer | undefined;

  constructor(
    { clock }: { readonly clock: Pick<Clock, 'after'> },
    options: { readonly looksPerTurn: number },
  ) {
    this.#clock = clock;
    this.#looksPerTurn = options.looksPerTurn;
  }

  /**
   * The first piece may be done at once. @throws CodedError `overloaded`, `aborted`, and what the question
   * throws.
   */
  ask<Answer>(
    question: () => Sliced<Answer>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (signal?.aborted) reject(aborted());
    else if (this.#asked.length >= MAX_ASKED) reject(overloaded());
    else {
      const asked: Asked = { answering: answering(question, resolve), fail: reject };
      const abort = (): void => this.#drop(asked, aborted());
      signal?.addEventListener('abort', abort, { once: true });
      this.#asked.push(asked);
      if (!this.#next) this.#goOn();
      return promise.finally(() => signal?.removeEventListener('abort', abort));
    }
    return promise;
  }

  close(): void {
    this.#next?.cancel();
    this.#next = undefined;
    const error = apiError('storage-unavailable', 'The fleet is being closed; ask again in a moment.');
    for (const asked of [...this.#asked]) this.#drop(asked, error);
  }

  #goOn(): void {
    this.#next = undefined;
    const [first] = this.#asked;
    if (!first) return;
    // Also after the last piece: who asks in this turn waits for the next.
    this.#next = this.#clock.after(0, () => this.#goOn());
    try {
      if (goOn(first.answering, new WorkBudget(this.#looksPerTurn))) this.#drop(first);
    } catch (error) {
      this.#drop(first, error);
    }
  }

  /** What it holds of the fleet as it was is given back. */
  #drop(asked: Asked, error?: unknown): void {
    const at = this.#asked.indexOf(asked);
    if (at < 0) return;
    this.#asked.splice(at, 1);
    asked.answering.return();
    if (error !== undefined) asked.fail(error);
  }
}

function* answering<Answer>(question: () => Sliced<Answer>, resolve: (answer: Answer) => void): Sliced<void> {
  resolve(yield* question());
}

function aborted(): Error {
  return new CodedError('Nobody waits for the answer any more.', { code: 'aborted' });
}

function overloaded(): Error {
  return apiError('overloaded', `${MAX_ASKED} questions wait for their answers already; ask again later.`, {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
