import { systemClock, type Clock, type Timer } from '@clawbernetes/kernel';

/**
 * The machine's clock, whose timers a test can hold back: a disk that runs on it does not answer meanwhile.
 */
export class GatedClock implements Clock {
  #held: { fire: () => void; cancelled: boolean }[] | undefined;

  nowMs(): number {
    return systemClock.nowMs();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    if (!this.#held) return systemClock.after(delayMs, callback);
    const timer = { fire: callback, cancelled: false };
    this.#held.push(timer);
    return { cancel: () => void (timer.cancelled = true) };
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const timer of held) if (!timer.cancelled) timer.fire();
  }
}
