import { every, formatDuration } from '@clawbernetes/kernel';
import type { Context } from '../context.ts';

const STILL_EVERY_MS = 2000;

/** Lines of what is being done; whatever takes long says so every two seconds. */
export class Progress {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  note(text: string): void {
    this.#context.remark(text);
  }

  /** Runs `work`; says what it is doing, when it lasts, and `done` at its end. */
  async step<T>(doing: string, work: () => Promise<T>, done: (result: T) => string): Promise<T> {
    const { clock, terminal } = this.#context;
    const { dim, green, red } = terminal.errorColours;
    const startMs = clock.monotonicMs();
    this.note(`${dim('•')} ${doing}…`);
    const ticking = every(clock, STILL_EVERY_MS, () => {
      this.note(dim(`  still ${lowerFirst(doing)} (${formatDuration(clock.monotonicMs() - startMs)})`));
    });
    try {
      const result = await work();
      this.note(`${green('✓')} ${done(result)} ${dim(`(${formatDuration(clock.monotonicMs() - startMs)})`)}`);
      return result;
    } catch (error) {
      this.note(`${red('✗')} ${doing} failed`);
      throw error;
    } finally {
      ticking.cancel();
    }
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
