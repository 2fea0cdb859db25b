import type { FleetCore } from '../fleet-core.ts';

/** Rows removed in one turn, so that catching up cannot hold the event loop. */
const REMOVALS_PER_TURN = 200;

/** Keeps history bounded: drops the oldest ended workloads and the oldest events. */
export class Retention {
  readonly #core: FleetCore;
  #firstSequence: number;

  constructor(core: FleetCore, firstSequence: number) {
    this.#core = core;
    this.#firstSequence = Math.max(1, firstSequence);
  }

  run(): void {
    this.#dropWorkloads();
    this.#dropEvents();
  }

  #dropWorkloads(): void {
    const { workloads, options, writer, listeners } = this.#core;
    const surplus = Math.min(REMOVALS_PER_TURN, workloads.endedCount - options.retainEnded);
    if (surplus <= 0) return;
    const attemptIds: string[] = [];
    for (const id of [...workloads.ended().take(surplus)]) {
      // A gang may end while nobody knows of a member on a node out of reach, which still holds its GPUs.
      if (workloads.hasLive(id)) continue;
      const attempts = workloads.remove(id);
      writer.write({ table: 'workload', delete: { id } });
      for (const attempt of attempts) writer.write({ table: 'attempt', delete: { id: attempt } });
      attemptIds.push(...attempts);
    }
    if (attemptIds.length > 0) writer.whenDurable(() => listeners.removed(attemptIds));
  }

  #dropEvents(): void {
    const { writer, options } = this.#core;
    const last = Math.min(writer.sequence - options.retainEvents, this.#firstSequence + REMOVALS_PER_TURN);
    for (; this.#firstSequence <= last; this.#firstSequence += 1) {
      writer.write({ table: 'event', delete: { sequence: this.#firstSequence } });
    }
  }
}
