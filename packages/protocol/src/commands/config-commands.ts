import { z } from 'zod';
import { configEntrySchema } from '../views.ts';
import { jsonBytes } from '../workload-spec.ts';
import { command } from './command.ts';
import { cursorSchema, nextSchema } from './references.ts';

export const MAX_CONFIG_BYTES = 262_144;
const key = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9_]([A-Za-z0-9_./-]*[A-Za-z0-9_])?$/, 'must be letters, digits, "_", ".", "/" and "-"')
  .describe('Key of the entry.');
const expectedVersion = z
  .int()
  .min(1)
  .optional()
  .describe('Only if the newest version is this one: nobody else has changed it.');
const value = z
  .json()
  .refine((json) => jsonBytes(json) <= MAX_CONFIG_BYTES, `must stay below ${MAX_CONFIG_BYTES} bytes`)
  .describe(`Any JSON of at most ${MAX_CONFIG_BYTES} bytes.`);

export const configCommands = {
  'config.create': command({
    tier: 'config',
    target: 'gateway',
    summary: 'Create a configuration entry, version 1',
    input: z.strictObject({ key, value }),
    output: configEntrySchema,
    errors: ['name-taken'],
  }),
  'config.get': command({
    tier: 'config',
    target: 'gateway',
    summary: 'A configuration entry, newest or a given version',
    input: z.strictObject({ key, version: z.int().min(1).optional().describe('Absent = the newest.') }),
    output: configEntrySchema,
    errors: ['not-found'],
  }),
  'config.update': command({
    tier: 'config',
    target: 'gateway',
    summary: 'Replace a configuration entry’s value; with expectedVersion only if nobody else did meanwhile',
    input: z.strictObject({ key, value, expectedVersion }),
    output: configEntrySchema,
    errors: ['not-found', 'conflict'],
  }),
  'config.delete': command({
    tier: 'config',
    target: 'gateway',
    summary: 'Delete a configuration entry with all its versions',
    input: z.strictObject({ key, expectedVersion }),
    output: z.object({ key: z.string(), deleted: z.literal(true) }),
    errors: ['not-found', 'conflict'],
  }),
  'config.list': command({
    tier: 'config',
    target: 'gateway',
    summary: 'Configuration entries by prefix, in key order, in pages',
    input: z.strictObject({
      prefix: z.string().max(253).default('').describe('Only keys that begin so.'),
      limit: z.int().min(1).max(1000).default(100).describe('Entries of one page.'),
      cursor: cursorSchema,
    }),
    output: z.object({ entries: z.array(configEntrySchema), next: nextSchema }),
    errors: [],
  }),
} as const;
