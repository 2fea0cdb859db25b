import type { Clock } from './clock.ts';

/**
 * Does things in the order in which they come, and leaves half of the event loop's time to others: what would
 * hold it for longer than a slice waits for a later turn of the loop. Whoever brings them bounds how many
 * wait; none of them may throw.
 */
export class PacedLine {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  #waiting: (() => void)[] = [];
  /** Of those that wait, the first that is not done. */
  #next = 0;
  /** When the present window began, which is two slices long, and how much of it was used. */
  #beganMs = -Infinity;
  #usedMs = 0;

  constructor(clock: Clock, sliceMs: number) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /** At once, unless others wait or the slice is used up. */
  do(task: () => void): void {
    if (this.#waiting.length === 0 && this.#hasTime()) return this.#run(task);
    this.#waiting.push(task);
    if (this.#waiting.length === 1) this.#clock.after(0, () => this.#goOn());
  }

  /** Resolves when all that came before is done. */
  async done(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.do(resolve));
  }

  #goOn(): void {
    this.#beganMs = this.#clock.monotonicMs();
    this.#usedMs = 0;
    for (let task = this.#waiting[this.#next]; task && this.#usedMs < this.#sliceMs;) {
      this.#next += 1;
      this.#run(task);
      task = this.#waiting[this.#next];
    }
    // The line may last for as long as there is more to do than time: what is done is let go of all the same.
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
    if (this.size > 0) this.#clock.after(0, () => this.#goOn());
  }

  #hasTime(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#beganMs >= 2 * this.#sliceMs) {
      this.#beganMs = nowMs;
      this.#usedMs = 0;
    }
    return this.#usedMs < this.#sliceMs;
  }

  #run(task: () => void): void {
    const startMs = this.#clock.monotonicMs();
    task();
    this.#usedMs += this.#clock.monotonicMs() - startMs;
  }
}
