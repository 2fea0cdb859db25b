import { z } from 'zod';

/** A node by id or name. */
export const nodeReference = z.string().min(1).max(128).describe('Id or name of a node.');
export const optionalNode = nodeReference
  .optional()
  .describe('Id or name of a node; may be absent while the fleet has exactly one.');
/** Of a program with its arguments, for a command that runs one. */
export const programSchema = z.array(z.string()).min(1).max(4096).describe('Program and arguments.');
export const envSchema = z
  .record(z.string(), z.string())
  .default({})
  .describe('Environment variables on top of those that are there.');
export const execTimeoutMs = z.int().min(1).max(600_000).default(60_000).describe('Killed after this long.');
/** Of a list in pages. */
export const cursorSchema = z.string().max(253).optional().describe('`next` of the page before.');
export const nextSchema = z.string().optional().describe('Cursor of the next page; absent on the last.');
/** A workload by id, by a unique beginning of its id, or by name (then the newest of that name). */
export const workloadReference = z
  .string()
  .min(1)
  .max(128)
  .describe(
    'Id of a workload, a unique beginning of it (6 characters or more), or its name: then the newest.',
  );

export const execOutputSchema = z.object({
  exitCode: z.int().optional().describe('Absent if a signal ended it.'),
  signal: z.string().optional().describe('Such as SIGKILL.'),
  stdout: z.string().describe('Text, or base64 where `encoding` says so: the bytes are not UTF-8 then.'),
  stderr: z.string().describe('As stdout.'),
  encoding: z.enum(['utf8', 'base64']),
  truncated: z.boolean().describe('There was more output than `maxOutputBytes`, or some of it is gone.'),
  timedOut: z.boolean(),
});
