import { z } from 'zod';
import { MAX_PRIORITY } from './placement-spec.ts';

const MAX_AMOUNT = 1_000_000_000;
const MAX_GPUS = 1_000_000;
const MAX_QUEUE_MODELS = 32;
const MAX_WEIGHT = 10_000;
const MAX_SPAN_MS = 31_536_000_000;

/** The queue of work that names none. It is always there, and takes work. */
export const DEFAULT_QUEUE = 'default';

export const queuePathSchema = z
  .string()
  .max(128)
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'must be a path of names of lower-case letters, digits and inner dashes, such as research/training',
  )
  .describe('Path of a queue, such as research/training.');

/** GPUs may be given in thousandths. */
const gpuAmount = z
  .number()
  .min(0)
  .max(MAX_GPUS)
  .refine((gpus) => Math.abs(gpus * 1000 - Math.round(gpus * 1000)) < 1e-6, 'must be thousandths of a GPU');

export const quotaSchema = z.strictObject({
  gpus: gpuAmount.optional().describe('Of all models together.'),
  gpuModels: z
    .record(
      z
        .string()
        .max(64)
        .regex(/^[a-z0-9]([a-z0-9 ._-]*[a-z0-9])?$/i, 'must be a part of the name of a GPU model'),
      gpuAmount,
    )
    .refine((models) => Object.keys(models).length <= MAX_QUEUE_MODELS, `at most ${MAX_QUEUE_MODELS}`)
    .optional()
    .describe('By model, matched case-insensitively as part of the model of the device.'),
  cpuMilli: z.int().min(0).max(MAX_AMOUNT).optional().describe('Thousandths of a core.'),
  memoryMib: z.int().min(0).max(MAX_AMOUNT).optional(),
});
/** Amounts; what is absent is not spoken of. */
export type Quota = z.output<typeof quotaSchema>;

export const queueSettingsSchema = z.strictObject({
  guaranteed: quotaSchema
    .optional()
    .describe('Its own whenever it wants it; others may borrow it meanwhile. Absent = that of its children.'),
  limit: quotaSchema.optional().describe('Never more than this, borrowed or not; what is absent has none.'),
  weight: z
    .int()
    .min(0)
    .max(MAX_WEIGHT)
    .optional()
    .describe('Its part of what nobody is guaranteed, beside its siblings; 0 = none. Absent = 1.'),
  priorityClass: z
    .int()
    .min(-MAX_PRIORITY)
    .max(MAX_PRIORITY)
    .optional()
    .describe('What nobody is guaranteed goes to siblings of a higher class first; absent = 0.'),
  defaultPriority: z
    .int()
    .min(-MAX_PRIORITY)
    .max(MAX_PRIORITY)
    .optional()
    .describe('Of work that names none, from now on; absent = 0.'),
  preemptible: z
    .boolean()
    .optional()
    .describe('Its work may make room for other work; if not, it never borrows. Absent = true.'),
  maxWaiting: z.int().min(0).max(MAX_AMOUNT).optional().describe('Workloads that may wait at once.'),
  minRuntimeMs: z
    .int()
    .min(0)
    .max(MAX_SPAN_MS)
    .optional()
    .describe('Its work runs at least so long before it has to make room; absent = what the fleet says.'),
});
export type QueueSettings = z.output<typeof queueSettingsSchema>;

const count = z.int().min(0);

export const queueViewSchema = queueSettingsSchema.extend({
  queue: z.string().describe('Its path.'),
  children: z.array(z.string()).describe('Paths; work is submitted to queues without children only.'),
  weight: z.int(),
  priorityClass: z.int(),
  defaultPriority: z.int(),
  preemptible: z.boolean(),
  used: quotaSchema.describe('By what runs in it and below.'),
  fairShare: quotaSchema.describe('What it is entitled to now, within what it wants.'),
  recentGpus: z.number().describe('Mean of GPUs used lately; what lies a half-life back counts half.'),
  running: count.describe('Workloads, of those below as well.'),
  waiting: count,
  borrowed: quotaSchema.describe('What it uses beyond what it is guaranteed.'),
  lenders: z
    .array(z.object({ queue: z.string(), lends: quotaSchema }))
    .describe('Siblings that do not use what they are guaranteed while this one borrows.'),
  message: z.string().describe('How it stands, in a sentence or two.'),
});
export type QueueView = z.output<typeof queueViewSchema>;
