import { describeAmount, type Amounts } from './amounts.ts';
import { queueError } from './queue-error.ts';

/** What a person says about a queue. */
export interface QueueSpec {
  /** Unique in the tree: lower-case letters, digits and dashes, 63 at most, or a path of such names. */
  readonly name: string;
  /** Absent: directly below the whole fleet. */
  readonly parent?: string;
  /** Its own whenever it wants it. Absent: the sum of its children's, so nothing without children. */
  readonly guaranteed?: Amounts;
  /** Never more than this, borrowed or not. A dimension that is absent has no limit. */
  readonly limit?: Amounts;
  /** Its part of the surplus beside others of its class; 0 = never borrows. Whole, 1 unless told. */
  readonly weight?: number;
  /** Surplus goes to higher classes first. Whole, 0 unless told. */
  readonly priorityClass?: number;
}

export const MAX_QUEUE_WEIGHT = 10_000;
export const MAX_PRIORITY_CLASS = 1000;

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\/[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** What is wrong with a queue whatever the others are. */
export function checkQueueSpec(spec: QueueSpec): void {
  checkName(spec.name);
  checkNumbers(spec);
  for (const vector of [spec.guaranteed, spec.limit]) checkAmounts(spec.name, vector);
  for (const [dimension, limit] of spec.limit ?? []) {
    const guaranteed = spec.guaranteed?.get(dimension) ?? 0;
    if (guaranteed <= limit) continue;
    throw queueError(
      `Queue ${spec.name} is guaranteed ${describeAmount(dimension, guaranteed)} but limited to ` +
        `${describeAmount(dimension, limit)}. Raise its limit or lower its guarantee.`,
      { code: 'queue-limit-below-guarantee', queue: spec.name, dimension },
    );
  }
}

function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw queueError(
    `"${name.slice(0, 80)}" cannot name a queue. Use lower-case letters, digits and inner dashes, 63 at most.`,
    { code: 'queue-name-invalid', queue: name },
  );
}

function checkNumbers({ name, weight = 1, priorityClass = 0 }: QueueSpec): void {
  if (!Number.isInteger(weight) || weight < 0 || weight > MAX_QUEUE_WEIGHT) {
    throw queueError(
      `Queue ${name} has weight ${weight}. Give it a whole number from 0 to ${MAX_QUEUE_WEIGHT}.`,
      { code: 'queue-weight-invalid', queue: name, weight },
    );
  }
  if (!Number.isInteger(priorityClass) || Math.abs(priorityClass) > MAX_PRIORITY_CLASS) {
    throw queueError(
      `Queue ${name} has priority class ${priorityClass}. Give it a whole number within ±${MAX_PRIORITY_CLASS}.`,
      { code: 'queue-priority-class-invalid', queue: name, priorityClass },
    );
  }
}

function checkAmounts(queue: string, vector: Amounts = new Map()): void {
  for (const [dimension, amount] of vector) {
    if (Number.isSafeInteger(amount) && amount >= 0) continue;
    throw queueError(
      `Queue ${queue} says ${amount} for ${dimension}. Give a whole number of thousandths or MiB, 0 or more.`,
      { code: 'queue-amount-invalid', queue, dimension },
    );
  }
}
