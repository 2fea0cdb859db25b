import { appendFileSync, renameSync, statSync } from 'node:fs';
import type { Clock, LogFacts, Logger } from '@clawbernetes/kernel';

/** Bound of the file; its predecessor is kept beside it, so the disk holds twice as much. */
const MAX_BYTES = 512 * 1024;

/** A logger of JSON lines into a bounded file. It never throws: a log is no reason to end workloads. */
export class FileLogger implements Logger {
  readonly #clock: Clock;
  readonly #path: string;
  readonly #facts: LogFacts;

  constructor(clock: Clock, path: string, facts: LogFacts = {}) {
    this.#clock = clock;
    this.#path = path;
    this.#facts = facts;
  }

  debug(): void {
    // Not kept: the file is for what an operator has to know.
  }

  info(message: string, facts?: LogFacts): void {
    this.#write('info', message, facts);
  }

  warn(message: string, facts?: LogFacts): void {
    this.#write('warn', message, facts);
  }

  error(message: string, facts?: LogFacts): void {
    this.#write('error', message, facts);
  }

  child(facts: LogFacts): Logger {
    return new FileLogger(this.#clock, this.#path, { ...this.#facts, ...facts });
  }

  #write(level: string, message: string, facts?: LogFacts): void {
    const time = new Date(this.#clock.nowMs()).toISOString();
    try {
      const line = JSON.stringify({ time, level, message, ...this.#facts, ...facts });
      if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) > MAX_BYTES) {
        renameSync(this.#path, `${this.#path}.1`);
      }
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    } catch {
      // A full disk, most likely; there is nowhere left to say so.
    }
  }
}
