import { errorCode, errorMessage, nearest } from '@clawbernetes/kernel';
import { apiError, DEFAULT_QUEUE } from '@clawbernetes/protocol';
import type { Row } from '@clawbernetes/storage';
import { parentOf, QueueRegime, type QueueRecord } from './queue-regime.ts';

/** The queues in memory, and what follows from them. Rows are written by whoever edits them. */
export class QueueTable {
  #records: ReadonlyMap<string, QueueRecord> = new Map([[DEFAULT_QUEUE, { queue: DEFAULT_QUEUE }]]);
  #regime = new QueueRegime(this.#records);

  get regime(): QueueRegime {
    return this.#regime;
  }

  load(rows: readonly Row[]): void {
    const stored = rows.map((row) => readQueue(row));
    this.#become(new Map([...this.#records, ...stored.map((record) => [record.queue, record] as const)]));
  }

  /** @throws CodedError `not-found`, which names the nearest. */
  get(queue: string): QueueRecord {
    const record = this.#records.get(queue);
    if (record) return record;
    const near = nearest(queue, this.#records.keys());
    throw apiError(
      'not-found',
      `There is no queue "${queue}". ${near === undefined ? 'queue list shows those that exist.' : `Did you mean "${near}"?`}`,
    );
  }

  has(queue: string): boolean {
    return this.#records.has(queue);
  }

  /** @throws CodedError `invalid-input` if work cannot be submitted to it: it names one that takes work. */
  requireLeaf(queue: string): QueueRecord {
    const record = this.#records.get(queue);
    const child = record && this.#childrenOf(queue)[0];
    if (record && child === undefined) return record;
    const near = nearest(queue, this.#records.keys());
    const message =
      child === undefined
        ? `There is no queue "${queue}". ${near === undefined ? 'queue list shows those that exist.' : `Did you mean "${near}"?`}`
        : `Queue "${queue}" only divides among those below it. Use one of them, such as "${child}".`;
    throw apiError('invalid-input', message, { issues: [{ path: 'queue', message }] });
  }

  /** @throws CodedError `conflict` if the queues would contradict each other. */
  put(record: QueueRecord): void {
    this.#become(new Map([...this.#records, [record.queue, record]]));
  }

  remove(queue: string): void {
    this.#become(new Map([...this.#records].filter(([path]) => path !== queue)));
  }

  #childrenOf(queue: string): readonly string[] {
    return [...this.#records.keys()].filter((path) => parentOf(path) === queue);
  }

  #become(records: ReadonlyMap<string, QueueRecord>): void {
    this.#regime = checked(records);
    this.#records = records;
  }
}

function checked(records: ReadonlyMap<string, QueueRecord>): QueueRegime {
  try {
    return new QueueRegime(records);
  } catch (error) {
    if (errorCode(error)?.startsWith('queue-') !== true) throw error;
    throw apiError('conflict', errorMessage(error), {}, { cause: error });
  }
}

function readQueue(row: Row): QueueRecord {
  const settings = JSON.parse(String(row['data'])) as Omit<QueueRecord, 'queue'>;
  return { queue: String(row['queue']), ...settings };
}
