import { z } from 'zod';

/** Labels and taints of a node, terms of a rule: each list has an end. */
export const MAX_NODE_LABELS = 64;
export const MAX_TAINTS = 32;
const MAX_TOLERATIONS = 32;
const MAX_TERMS = 16;
const MAX_VALUES = 64;
const MAX_GANG_MEMBERS = 4096;
/** Of work, and of a queue; as low below 0. */
export const MAX_PRIORITY = 1000;
const MAX_RETRIES = 1000;
const MAX_DELAY_MS = 86_400_000;
/** A year, as for `timeoutMs`. */
const MAX_SPAN_MS = 31_536_000_000;

/** Of a label or a taint. */
export const labelKeySchema = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$/,
    'must be 1–253 letters, digits, ".", "_", "/" or "-", starting and ending with a letter or digit',
  );
export const labelValueSchema = z.string().max(253);

/**
 * What a taint does to work that does not tolerate it: none is placed, it is placed elsewhere if that is
 * possible, or none is placed and what runs is moved away.
 */
export const TAINT_EFFECTS = ['no-schedule', 'prefer-no-schedule', 'no-execute'] as const;
export type TaintEffect = (typeof TAINT_EFFECTS)[number];

export const taintSchema = z.strictObject({
  key: labelKeySchema,
  value: labelValueSchema.default(''),
  effect: z.enum(TAINT_EFFECTS),
});
export type Taint = z.output<typeof taintSchema>;

export const tolerationSchema = z
  .strictObject({
    key: labelKeySchema.describe('Of the taint.'),
    value: labelValueSchema.optional().describe('Of the taint; absent = any.'),
    effect: z.enum(TAINT_EFFECTS).optional().describe('Of the taint; absent = any.'),
  })
  .describe('A taint that does not keep this workload away.');
export type Toleration = z.output<typeof tolerationSchema>;

/** How a term looks at a label. */
const OPERATORS = ['in', 'not-in', 'exists', 'not-exists'] as const;

export const labelTermSchema = z
  .strictObject({
    label: labelKeySchema.describe('"node" is the name of a node.'),
    operator: z.enum(OPERATORS).default('in'),
    values: z.array(labelValueSchema).max(MAX_VALUES).default([]),
  })
  .refine(
    ({ operator, values }) => values.length > 0 === (operator === 'in' || operator === 'not-in'),
    'in and not-in need values; exists and not-exists take none',
  );
export type LabelTerm = z.output<typeof labelTermSchema>;

export const affinitySchema = z.strictObject({
  required: z
    .array(labelTermSchema)
    .max(MAX_TERMS)
    .default([])
    .describe(`A node must meet all of these, at most ${MAX_TERMS}.`),
  preferred: z
    .array(labelTermSchema.safeExtend({ weight: z.int().min(1).max(100).default(1) }))
    .max(MAX_TERMS)
    .default([])
    .describe(`Of the nodes that could take it, those that meet more of these, at most ${MAX_TERMS}.`),
});
export type Affinity = z.output<typeof affinitySchema>;

const spreadSchema = z.strictObject({
  by: labelKeySchema.describe('Label whose values are the domains, such as rack.'),
  maxSkew: z.int().min(1).max(MAX_GANG_MEMBERS).default(1).describe('Most that one domain may be ahead.'),
  mode: z.enum(['required', 'preferred']).default('required'),
});

export const TOPOLOGY_LEVELS = ['site', 'rack', 'nvlink-domain', 'node', 'nvlink-island', 'numa'] as const;

const gangSchema = z
  .strictObject({
    members: z.int().min(1).max(MAX_GANG_MEMBERS).describe('How many run, each with these resources.'),
    minMembers: z
      .int()
      .min(1)
      .max(MAX_GANG_MEMBERS)
      .optional()
      .describe('Fewest with which it is of use; absent = all.'),
    topology: z
      .strictObject({
        level: z
          .enum(TOPOLOGY_LEVELS)
          .describe(
            'All members are within one of these. nvlink-island and numa: the GPUs of all are joined by NVLink, or ' +
              'on one NUMA node, of one node.',
          ),
        mode: z.enum(['required', 'preferred']).default('required'),
      })
      .optional(),
  })
  .refine(({ members, minMembers = members }) => minMembers <= members, {
    message: 'must be at most members',
    path: ['minMembers'],
  });

const delay = {
  attempts: z.int().min(0).max(MAX_RETRIES).describe('How often; 0 = never.'),
  delayMs: z.int().min(0).max(MAX_DELAY_MS).default(1000).describe('Before the first; it doubles each time.'),
  maxDelayMs: z.int().min(0).max(MAX_DELAY_MS).default(300_000),
};

/** Three policies with a budget each: what one spends, another keeps. */
const restartSchema = z.strictObject({
  ...delay,
  on: z.enum(['failure', 'always']).default('failure').describe('Always: also after a good end.'),
});
const rescheduleSchema = z.strictObject({
  ...delay,
  attempts: delay.attempts.default(0),
  evicted: z
    .enum(['requeue', 'end'])
    .default('requeue')
    .describe(
      'What follows when the fleet takes it off its node (drain, taint, broken GPU): it waits for another node ' +
        'and begins anew there, which spends no attempts, or it ends as failed.',
    ),
});
const replaceSchema = z.strictObject({ ...delay });

const onDisconnectSchema = z
  .strictObject({
    action: z.enum(['continue', 'stop']).default('continue').describe('What it does while its node is away.'),
    afterMs: z.int().min(0).max(MAX_SPAN_MS).optional().describe('Stop after so long without contact.'),
  })
  .refine(({ action, afterMs }) => (action === 'stop') === (afterMs !== undefined), {
    message: 'goes with stop, and only with it',
    path: ['afterMs'],
  });

/**
 * Where a workload may run, and what becomes of it when it cannot go on there. All optional: a specification
 * that asks for none of them reads the same as one of a version before them.
 */
export const placementFields = {
  tolerations: z
    .array(tolerationSchema)
    .max(MAX_TOLERATIONS)
    .optional()
    .describe(`Taints that do not keep it away, at most ${MAX_TOLERATIONS}.`),
  affinity: affinitySchema.optional().describe('Labels that its node must or should have.'),
  spread: spreadSchema.optional().describe('How evenly the members of a gang are spread.'),
  priority: z
    .int()
    .min(-MAX_PRIORITY)
    .max(MAX_PRIORITY)
    .optional()
    .describe(
      'Within its queue higher goes first, and may take the place of lower; absent = as the queue says.',
    ),
  queue: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9./-]{0,126}[a-z0-9])?$/, 'must be a path such as research/training')
    .optional()
    .describe('Path in the tree of queues; absent = default.'),
  gang: gangSchema.optional().describe('Members that run together or not at all.'),
  onDisconnect: onDisconnectSchema.optional(),
  exclusive: z
    .boolean()
    .optional()
    .describe(
      'Never begins anew before it is proven that its former attempt has ended; a gang, that all have.',
    ),
  restart: restartSchema
    .optional()
    .describe(
      'On the same node, after it ended by itself; its time limit ends it for good. A gang restarts as a whole.',
    ),
  reschedule: rescheduleSchema
    .optional()
    .describe('On another node, after it failed and no restarts are left, or was taken off.'),
  replace: replaceSchema
    .optional()
    .describe(
      'Elsewhere, after its node, or what runs work there, was lost; spends no restarts. Of a gang the member ' +
        'alone, if there is a place for it near the others; absent = as often as need be.',
    ),
};

export const gpuShareFields = {
  gpuMilli: z
    .int()
    .min(1)
    .max(999)
    .optional()
    .describe(
      'Thousandths of one GPU, shared with others, and as much of its memory; instead of gpus. ' +
        'minGpuMemoryMib then asks of the share.',
    ),
  migProfile: z
    .string()
    .regex(
      /^(\d{1,2}c\.)?\d{1,2}g\.\d{1,4}gb([+-][a-z0-9.]{1,16})?$/,
      'must be a MIG profile such as 1g.10gb',
    )
    .optional()
    .describe('Each of its GPUs is a MIG instance of this profile that a node has; none is made or changed.'),
  nvlink: z
    .enum(['required', 'preferred'])
    .optional()
    .describe('Whether the GPUs must or should reach each other over NVLink.'),
};
