import { z } from 'zod';

/** A node by id or name. */
export const nodeReference = z.string().min(1).max(128).describe('Id or name of a node.');
/** Absent is fine while the fleet has exactly one node. */
export const optionalNode = nodeReference.optional();
/** A workload by id, by a unique beginning of its id, or by name (then the newest of that name). */
export const workloadReference = z.string().min(1).max(128).describe('Id or name of a workload.');

export const execOutputSchema = z.object({
  exitCode: z.int().optional(),
  signal: z.string().optional(),
  /** Text, or base64 where `encoding` says so because the bytes are not UTF-8. */
  stdout: z.string(),
  stderr: z.string(),
  encoding: z.enum(['utf8', 'base64']),
  truncated: z.boolean(),
  timedOut: z.boolean(),
});
