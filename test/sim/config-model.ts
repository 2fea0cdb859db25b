import { errorCode } from '@clawbernetes/kernel';
import type { Simulation } from './simulation.ts';

const KEY = 'sim/counter';

/** A configuration entry that counts: what was answered is there after every crash. */
export class ConfigModel {
  readonly #simulation: Simulation;
  readonly #violate: (what: string) => void;
  #acknowledged = 0;

  constructor(simulation: Simulation, violate: (what: string) => void) {
    this.#simulation = simulation;
    this.#violate = violate;
  }

  async update(): Promise<void> {
    try {
      const { version } = await this.#change();
      this.#acknowledged = Math.max(this.#acknowledged, version);
    } catch (error) {
      if (errorCode(error) === 'not-found' && this.#acknowledged > 0)
        this.#violate('an acknowledged configuration entry is gone');
    }
    await this.check();
  }

  async check(): Promise<void> {
    const before = this.#acknowledged;
    if (before === 0) return;
    const entry = await this.#simulation.execute('config.get', { key: KEY }).catch(() => undefined);
    if (entry && entry.version < before)
      this.#violate(`configuration went from version ${before} back to ${entry.version}`);
  }

  #change(): Promise<{ readonly version: number }> {
    const value = this.#acknowledged + 1;
    return this.#acknowledged === 0
      ? this.#simulation.execute('config.create', { key: KEY, value })
      : this.#simulation.execute('config.update', { key: KEY, value });
  }
}
