import {
  apiError,
  DEFAULT_QUEUE,
  hasEnded,
  type QueueSettings,
  type QueueView,
} from '@clawbernetes/protocol';
import type { RowChange } from '@clawbernetes/storage';
import type { FleetCore } from '../fleet-core.ts';
import { formatTime } from '../scheduler/why/reserved-words.ts';
import { parentOf, type QueueRecord } from './queue-regime.ts';
import { queueViews } from './queue-view.ts';

export interface QueueChange {
  readonly queue: string;
  readonly settings: QueueSettings;
  /** Back to their defaults. */
  readonly unset?: readonly (keyof QueueSettings)[];
}

/**
 * Edits of queues by people. They count from the next plan on, which is that of the same turn; what runs is
 * not touched by them.
 */
export class QueueAdministration {
  readonly #core: FleetCore;

  constructor(core: FleetCore) {
    this.#core = core;
  }

  /** Parents before their children. */
  list(): readonly QueueView[] {
    return queueViews(this.#core);
  }

  /** @throws CodedError `not-found`. */
  show(queue: string): QueueView {
    this.#core.queues.get(queue);
    const view = this.list().find((one) => one.queue === queue);
    if (view) return view;
    throw apiError('not-found', `The queue "${queue}" is gone.`);
  }

  /** @throws CodedError `name-taken`, `not-found` for its parent, `conflict`. */
  create({ queue, settings }: QueueChange): QueueView {
    const { queues } = this.#core;
    if (queues.has(queue))
      throw apiError('name-taken', `There is a queue "${queue}" already; use queue update to change it.`);
    const parent = parentOf(queue);
    if (parent !== undefined) {
      queues.get(parent);
      this.#refuseWork(parent, `Queue ${queue} cannot be made`);
    }
    this.#put({ queue, ...settings }, 'created');
    return this.show(queue);
  }

  /** @throws CodedError `not-found`, `conflict`. */
  update({ queue, settings, unset = [] }: QueueChange): QueueView {
    const before = this.#core.queues.get(queue);
    const kept = Object.entries(before).filter(([name]) => !unset.some((one) => one === name));
    this.#put({ ...(Object.fromEntries(kept) as unknown as QueueRecord), ...settings }, 'updated');
    return this.show(queue);
  }

  /** @throws CodedError `not-found`, `conflict`. */
  delete(queue: string): void {
    const { queues, accounts, writer } = this.#core;
    queues.get(queue);
    if (queue === DEFAULT_QUEUE)
      throw apiError('conflict', `The queue ${DEFAULT_QUEUE} is for work that names none; it stays.`);
    const [child] = queues.regime.tree.get(queue).children;
    if (child) throw apiError('conflict', `Queue ${queue} has queues below it: delete ${child.name} first.`);
    this.#refuseWork(queue, `Queue ${queue} cannot be deleted`);
    this.#refuseReserved(queue);
    queues.remove(queue);
    accounts.rebuild();
    writer.write({ table: 'queue', delete: { queue } });
    this.#record(queue, 'deleted');
  }

  #put(record: QueueRecord, change: string): void {
    const { queues, accounts, writer } = this.#core;
    queues.put(record);
    accounts.rebuild();
    writer.write(queueRow(record));
    this.#record(record.queue, change);
  }

  /** Work is counted in queues without children only. */
  #refuseWork(queue: string, what: string): void {
    const { workloads, queues } = this.#core;
    if (queue === DEFAULT_QUEUE)
      throw apiError(
        'conflict',
        `${what}: ${DEFAULT_QUEUE} takes work that names no queue, and has none below it.`,
      );
    if (queues.regime.tree.get(queue).children.length > 0) return;
    let count = 0;
    for (const { state, spec } of workloads.workloads())
      if (spec.queue === queue && !hasEnded(state)) count += 1;
    if (count === 0) return;
    const has = `${queue} has ${count} ${count === 1 ? 'workload that has' : 'workloads that have'} not ended`;
    throw apiError('conflict', `${what}: ${has}. Let them end, or stop them first.`);
  }

  #refuseReserved(queue: string): void {
    const reserved = this.#core.calendar.all().find(({ queues }) => queues.includes(queue));
    if (!reserved) return;
    const until = `reservation ${reserved.name} until ${formatTime(reserved.endMs)}`;
    throw apiError('conflict', `Queue ${queue} cannot be deleted: it has ${until}. Delete that first.`);
  }

  #record(queue: string, change: string): void {
    this.#core.writer.record({
      namespace: 'default',
      type: `queue.${change}`,
      subject: queue,
      cause: 'user',
      message: `Queue ${queue} was ${change}.`,
    });
  }
}

function queueRow({ queue, ...settings }: QueueRecord): RowChange {
  return { table: 'queue', upsert: { queue, data: JSON.stringify(settings) } };
}
