import type { FleetCore } from '../fleet-core.ts';
import type { Placer } from './placer.ts';

/**
 * Plans once in each turn of the event loop. What is placed is stored and told behind it: once too much of
 * that is left to do nothing more is placed, since whoever asks how things are waits for it, too.
 */
export class PlacingTurns {
  readonly #core: FleetCore;
  readonly #placer: Placer;
  /** Placements that are not stored yet, or not told to their nodes. */
  #ahead = 0;
  /** Nothing was planned for that reason. */
  #isBehind = false;
  /** A turn of its own is to come. */
  #isToGoOn = false;

  constructor(core: FleetCore, placer: Placer) {
    this.#core = core;
    this.#placer = placer;
  }

  run(): void {
    const { options, writer } = this.#core;
    this.#isBehind = this.#ahead >= options.maxPlacedAhead;
    if (this.#isBehind) return;
    const before = this.#placer.placed;
    const isMore = this.#placer.run();
    const placed = this.#placer.placed - before;
    this.#ahead += placed;
    if (placed > 0) writer.whenDurable(() => this.#caughtUp(placed));
    if (isMore) this.#goOnSoon();
  }

  #caughtUp(placed: number): void {
    this.#ahead -= placed;
    if (this.#isBehind) this.#goOnSoon();
    this.#isBehind = false;
  }

  /** What one turn did not get to has its own: one, however many turns of others there are until then. */
  #goOnSoon(): void {
    if (this.#isToGoOn) return;
    this.#isToGoOn = true;
    this.#core.clock.after(0, () => {
      this.#isToGoOn = false;
      this.#placer.resume();
      void this.#core.writer.durable().catch(() => undefined);
    });
  }
}
