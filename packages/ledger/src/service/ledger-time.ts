import type { Clock, Logger } from '@clawbernetes/kernel';

/**
 * What the wall clock may gain on the monotonic one between two looks, or lose, ms. More than time servers
 * step a clock by, and than a virtual machine stands still while it moves to another host; less than the
 * shortest time that the ledger gives anybody to act in, which is the grace of a lease: 10 minutes.
 */
const MAX_JUMP_MS = 300_000;
/** After this nobody is surprised by what came due: gaps of a day happen where machines are switched off. */
const LONG_GAP_MS = 86_400_000;

/**
 * The time of a ledger, which never goes back: were it to follow a wall clock that is wrong for a moment, all
 * deadlines would be over, and it would stand still until the true time has come so far. So the wall clock
 * counts while it goes as the monotonic one does. Once it jumps by more than MAX_JUMP_MS, either way, time
 * goes on by the monotonic clock, until the wall clock is where it should be again.
 *
 * One for each process, however often its ledger is opened: whoever starts another process says that the
 * clock is right.
 */
export class LedgerTime {
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly #logger: Logger;
  /** When the wall clock was last believed. */
  #wallMs: number;
  #monotonicMs: number;
  #isFollowed = true;

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
    this.#wallMs = clock.nowMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /** Whole ms since 1970. */
  nowMs(): number {
    const [wallMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    const expectedMs = this.#wallMs + monotonicMs - this.#monotonicMs;
    const isFollowed = Math.abs(wallMs - expectedMs) <= MAX_JUMP_MS;
    if (isFollowed !== this.#isFollowed) this.#tell(isFollowed, { wallMs, timeMs: Math.floor(expectedMs) });
    this.#isFollowed = isFollowed;
    if (!isFollowed) return Math.floor(expectedMs);
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    return Math.floor(wallMs);
  }

  /**
   * A ledger goes on after a frame of this time, or begins: 0. How long it was down nobody can measure, so
   * any gap is accepted, and a long one told.
   */
  goesOnAfter(frameMs: number): void {
    const timeMs = this.nowMs();
    if (frameMs === 0) return;
    if (timeMs - frameMs > LONG_GAP_MS) {
      const message =
        'More than a day has passed since the newest frame of the ledger, so what was due is done now. ' +
        'If that is not so, the clock of this machine is wrong';
      this.#logger.warn(message, { frameMs, timeMs });
    }
    if (frameMs - timeMs > MAX_JUMP_MS) {
      const message =
        'The newest frame of the ledger is later than the clock of this machine says: its time stands still ' +
        'until then. Look whether the clock is wrong';
      this.#logger.warn(message, { frameMs, timeMs });
    }
  }

  /**
   * So far is the wall clock ahead of this time, or behind it if negative, ms; 0 for what is of no account.
   */
  clockAheadMs(timeMs: number): number {
    const aheadMs = Math.floor(this.#clock.nowMs()) - timeMs;
    return Math.abs(aheadMs) <= MAX_JUMP_MS ? 0 : aheadMs;
  }

  #tell(isFollowed: boolean, facts: { readonly wallMs: number; readonly timeMs: number }): void {
    if (isFollowed) {
      this.#logger.info('The clock of this machine is right again, and the ledger follows it', facts);
      return;
    }
    const message =
      'The clock of this machine has jumped, and the ledger does not follow it. Correct the clock; if it is ' +
      'right now, start this process anew';
    this.#logger.error(message, facts);
  }
}
