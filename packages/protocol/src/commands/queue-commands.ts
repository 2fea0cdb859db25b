import { z } from 'zod';
import { queuePathSchema, queueSettingsSchema, queueViewSchema } from '../queue.ts';
import { command } from './command.ts';

const toQueue = z.strictObject({ queue: queuePathSchema });

/** Who may use how much of the fleet. */
export const queueCommands = {
  'queue.list': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Queues with what they use and what they are entitled to, parents before their children',
    input: z.strictObject({}),
    output: z.object({ queues: z.array(queueViewSchema) }),
    errors: [],
  }),
  'queue.show': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'One queue: its settings, usage, fair share, and from whom it borrows',
    input: toQueue,
    output: queueViewSchema,
    errors: ['not-found'],
  }),
  'queue.create': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Create a queue; its parent must exist and have no work of its own',
    input: queueSettingsSchema.extend({ queue: queuePathSchema }),
    output: queueViewSchema,
    errors: ['not-found', 'name-taken', 'conflict'],
  }),
  'queue.update': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Change settings of a queue; they count from the next plan on, and nothing is stopped for them',
    input: queueSettingsSchema.extend({
      queue: queuePathSchema,
      unset: z
        .array(z.enum(queueSettingsSchema.keyof().options))
        .max(queueSettingsSchema.keyof().options.length)
        .default([])
        .describe('Settings to go back to their defaults; a setting that is given is replaced as a whole.'),
    }),
    output: queueViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'queue.delete': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Delete a queue that has no work and no queues below it',
    input: toQueue,
    output: z.object({ queue: z.string(), deleted: z.literal(true) }),
    errors: ['not-found', 'conflict'],
  }),
} as const;
