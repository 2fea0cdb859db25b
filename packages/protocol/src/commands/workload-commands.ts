import { z } from 'zod';
import { attemptViewSchema, eventViewSchema, workloadViewSchema } from '../views.ts';
import { workloadSpecSchema } from '../workload-spec.ts';
import { WORKLOAD_STATES } from '../workload-state.ts';
import { command } from './command.ts';
import { execOutputSchema, workloadReference } from './references.ts';

/** Longest that a request may wait for a workload; ask again to wait on. */
export const MAX_WAIT_MS = 60_000;
const waitMs = z
  .int()
  .min(0)
  .max(MAX_WAIT_MS)
  .default(0)
  .describe('Answer when the workload has ended or this long has passed, whichever is first.');

export const logEntrySchema = z.object({
  timeMs: z.number(),
  stream: z.enum(['stdout', 'stderr', 'notice']),
  /** Text, or base64 where `encoding` says so because the bytes are not UTF-8. */
  data: z.string(),
  encoding: z.enum(['utf8', 'base64']),
});

export const workloadCommands = {
  'workload.run': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Submit a workload; it is stored before this answers',
    input: z.strictObject({
      spec: workloadSpecSchema,
      /** Made by the caller: repeating a request with the same key answers the same workload. */
      idempotencyKey: z.string().min(8).max(128).optional(),
      waitMs,
    }),
    output: workloadViewSchema,
    errors: ['conflict', 'name-taken'],
  }),
  'workload.stop': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Stop a workload: politely, or at once with force',
    input: z.strictObject({ workload: workloadReference, force: z.boolean().default(false) }),
    output: workloadViewSchema,
    errors: ['not-found'],
  }),
  'workload.list': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Workloads, newest first, in pages',
    input: z.strictObject({
      states: z.array(z.enum(WORKLOAD_STATES)).max(WORKLOAD_STATES.length).optional(),
      limit: z.int().min(1).max(1000).default(100),
      /** `next` of the page before. */
      cursor: z.string().max(128).optional(),
    }),
    output: z.object({ workloads: z.array(workloadViewSchema), next: z.string().optional() }),
    errors: [],
  }),
  'workload.inspect': command({
    tier: 'core',
    target: 'gateway',
    summary: 'A workload with its attempts and events',
    input: z.strictObject({ workload: workloadReference, waitMs }),
    output: workloadViewSchema.extend({
      attempts: z.array(attemptViewSchema),
      events: z.array(eventViewSchema),
    }),
    errors: ['not-found'],
  }),
  'workload.logs': command({
    tier: 'core',
    target: 'gateway',
    summary: 'A piece of a workload’s log; GET /api/workloads/<id>/logs streams it',
    input: z.strictObject({
      workload: workloadReference,
      /** Last lines only; otherwise from `position` on. */
      tail: z.int().min(0).max(100_000).optional(),
      position: z.int().min(0).default(0),
      maxBytes: z.int().min(1).max(1_048_576).default(262_144),
    }),
    output: z.object({
      entries: z.array(logEntrySchema),
      /** Ask from here next. */
      position: z.int(),
      /** Bytes before the first entry that rotation had already removed. */
      droppedBytes: z.int(),
      /** The workload has ended and this is the end of its log. */
      complete: z.boolean(),
    }),
    errors: ['not-found'],
  }),
  'workload.stats': command({
    tier: 'core',
    target: 'node',
    summary: 'CPU, memory and processes of a running workload, measured now',
    input: z.strictObject({ workload: workloadReference }),
    output: z.object({
      workload: z.string(),
      cpuMs: z.number(),
      memoryBytes: z.number(),
      memoryPeakBytes: z.number().optional(),
      processes: z.int(),
      throttledMs: z.number().optional(),
    }),
    errors: ['not-found', 'not-running', 'node-unreachable', 'command-disabled', 'timeout'],
  }),
  'container.exec': command({
    tier: 'core',
    target: 'node',
    summary: 'Run a command inside a running workload, container or process',
    input: z.strictObject({
      workload: workloadReference,
      command: z.array(z.string()).min(1).max(4096),
      env: z.record(z.string(), z.string()).default({}),
      timeoutMs: z.int().min(1).max(600_000).default(60_000),
      maxOutputBytes: z.int().min(0).max(393_216).default(262_144),
    }),
    output: execOutputSchema,
    errors: ['not-found', 'not-running', 'node-unreachable', 'command-disabled', 'timeout'],
  }),
} as const;
