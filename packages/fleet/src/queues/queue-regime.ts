import { DEFAULT_QUEUE, apiError, type QueueSettings } from '@clawbernetes/protocol';
import type { QueueSpec } from '../scheduler/queues/queue-spec.ts';
import { QueueTree } from '../scheduler/queues/queue-tree.ts';
import { Worth } from '../scheduler/queues/worth.ts';
import { GpuClasses } from '../scheduler/queues/gpu-classes.ts';
import { amountsOfQuota } from './quota.ts';

/** What is stored of a queue. */
export interface QueueRecord extends QueueSettings {
  /** Its path. */
  readonly queue: string;
}

/** What a CPU and a GiB are worth beside a GPU of 1000, where queues are guaranteed some. */
const CPU_WORTH = 10;
const MEMORY_WORTH = 1;

/**
 * What follows from a set of queues, as long as nobody edits one. GPUs are shared out by model if guarantees
 * are, else all together; CPU and memory only once some queue is guaranteed a part of them. Limits hold in
 * any case.
 */
export class QueueRegime {
  readonly tree: QueueTree;
  readonly worth: Worth;
  readonly classes: GpuClasses;
  /** There is one queue, and it asks for nothing that needs to be counted. */
  readonly isPlain: boolean;
  readonly #records: ReadonlyMap<string, QueueRecord>;

  /** @throws CodedError of a queue that contradicts the others. */
  constructor(records: ReadonlyMap<string, QueueRecord>) {
    const all = [...records.values()];
    this.#records = records;
    this.tree = new QueueTree(all.map(specOf));
    const quotas = all.flatMap(({ guaranteed = {}, limit = {} }) => [guaranteed, limit]);
    this.classes = new GpuClasses(
      quotas.flatMap(({ gpuModels = {} }) => Object.keys(gpuModels).map((model) => model.toLowerCase())),
    );
    this.worth = worthOf(all);
    this.isPlain = all.length === 1 && all.every(isPlain);
  }

  /** Undefined for one that is not there. */
  record(queue: string): QueueRecord | undefined {
    return this.#records.get(queue);
  }

  /** As it would be with one of them another. @throws CodedError if they would contradict each other. */
  with(record: QueueRecord): QueueRegime {
    return new QueueRegime(new Map([...this.#records, [record.queue, record]]));
  }

  /** Where work is counted: in the queue that it names, or in the default one if that is gone. */
  queueOf({ queue = DEFAULT_QUEUE }: { readonly queue?: string | undefined }): string {
    return this.#records.has(queue) ? queue : DEFAULT_QUEUE;
  }

  isPreemptible(queue: string): boolean {
    return this.#records.get(queue)?.preemptible ?? true;
  }
}

function isPlain({ guaranteed, limit, preemptible }: QueueRecord): boolean {
  return guaranteed === undefined && limit === undefined && preemptible !== false;
}

function specOf({ queue, guaranteed, limit, weight, priorityClass }: QueueRecord): QueueSpec {
  const parent = parentOf(queue);
  return {
    name: queue,
    ...(parent === undefined ? {} : { parent }),
    ...(guaranteed ? { guaranteed: amountsOfQuota(guaranteed) } : {}),
    ...(limit ? { limit: amountsOfQuota(limit) } : {}),
    ...(weight === undefined ? {} : { weight }),
    ...(priorityClass === undefined ? {} : { priorityClass }),
  };
}

/** `research` of `research/training`; undefined directly below the fleet. */
export function parentOf(queue: string): string | undefined {
  const slash = queue.lastIndexOf('/');
  return slash < 0 ? undefined : queue.slice(0, slash);
}

function worthOf(records: readonly QueueRecord[]): Worth {
  const byModel = records.find(({ guaranteed }) => guaranteed?.gpuModels !== undefined);
  const together = records.find(({ guaranteed }) => guaranteed?.gpus !== undefined);
  if (byModel && together)
    throw apiError(
      'conflict',
      `Queue ${byModel.queue} is guaranteed GPUs by model and ${together.queue} GPUs of any model. ` +
        'Give guarantees of all queues in the same way; limits may be both.',
    );
  const isGuaranteed = (name: 'cpuMilli' | 'memoryMib'): boolean =>
    records.some(({ guaranteed }) => guaranteed?.[name] !== undefined);
  return new Worth({
    gpu: new Map([['*', byModel ? 0 : 1000]]),
    otherGpu: byModel ? 1000 : 0,
    cpu: isGuaranteed('cpuMilli') ? CPU_WORTH : 0,
    memoryGib: isGuaranteed('memoryMib') ? MEMORY_WORTH : 0,
  });
}
