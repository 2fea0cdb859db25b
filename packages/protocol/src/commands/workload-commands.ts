import { z } from 'zod';
import { attemptViewSchema, eventViewSchema, workloadViewSchema } from '../views.ts';
import { workloadSpecSchema } from '../workload-spec.ts';
import { WORKLOAD_STATES } from '../workload-state.ts';
import { command } from './command.ts';
import {
  cursorSchema,
  envSchema,
  execOutputSchema,
  execTimeoutMs,
  nextSchema,
  programSchema,
  workloadReference,
} from './references.ts';

/** Longest that a request may wait for a workload; ask again to wait on. */
export const MAX_WAIT_MS = 60_000;
const waitMs = z
  .int()
  .min(0)
  .max(MAX_WAIT_MS)
  .default(0)
  .describe('Answer when the workload has ended or this long has passed, whichever is first.');

const rankSchema = z.int().min(0).optional().describe('Of a gang: which member; absent = that of rank 0.');

export const logEntrySchema = z.object({
  timeMs: z.number(),
  stream: z.enum(['stdout', 'stderr', 'notice']),
  data: z.string().describe('Text, or base64 where `encoding` says so: the bytes are not UTF-8 then.'),
  encoding: z.enum(['utf8', 'base64']),
});

export const workloadCommands = {
  'workload.run': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Submit a workload; it is stored before this answers',
    input: z.strictObject({
      spec: workloadSpecSchema,
      idempotencyKey: z
        .string()
        .min(8)
        .max(128)
        .optional()
        .describe('Made by the caller: repeating a request with the same key answers the same workload.'),
      waitMs,
    }),
    output: workloadViewSchema,
    errors: ['conflict', 'name-taken', 'not-supported'],
  }),
  'workload.stop': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Stop a workload: politely, or at once with force',
    input: z.strictObject({
      workload: workloadReference,
      force: z
        .boolean()
        .default(false)
        .describe(
          'Kill at once. Work on a node out of reach is given up, and its GPUs are free again; refused for ' +
            'exclusive work, of which only its node can say that it has ended.',
        ),
    }),
    output: workloadViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'workload.list': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Workloads, newest first, in pages',
    input: z.strictObject({
      states: z
        .array(z.enum(WORKLOAD_STATES))
        .max(WORKLOAD_STATES.length)
        .optional()
        .describe('Only those in one of these states.'),
      limit: z.int().min(1).max(1000).default(100).describe('Workloads of one page.'),
      cursor: cursorSchema,
    }),
    output: z.object({ workloads: z.array(workloadViewSchema), next: nextSchema }),
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
      tail: z
        .int()
        .min(0)
        .max(100_000)
        .optional()
        .describe('The last so many lines instead of from `position` on.'),
      position: z.int().min(0).default(0).describe('Where to begin, in bytes of the log.'),
      attempt: z
        .int()
        .min(1)
        .optional()
        .describe(
          'Whose log: number of the attempt. Read to its end, the next one’s follows. Absent = the latest.',
        ),
      rank: rankSchema,
      maxBytes: z
        .int()
        .min(1)
        .max(1_048_576)
        .default(262_144)
        .describe('Of the log, at most; one entry at least.'),
    }),
    output: z.object({
      entries: z.array(logEntrySchema),
      attempt: z
        .int()
        .optional()
        .describe('Number of the attempt whose log this is, and position in; of a gang its rank tells.'),
      position: z.int().describe('Ask from here next.'),
      droppedBytes: z.int().describe('Before the first entry, removed by rotation.'),
      complete: z.boolean().describe('The workload has ended and this is the end of its log.'),
    }),
    errors: ['not-found'],
  }),
  'workload.stats': command({
    tier: 'core',
    target: 'node',
    summary: 'CPU, memory and processes of a running workload, measured now',
    input: z.strictObject({ workload: workloadReference, rank: rankSchema }),
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
      rank: rankSchema,
      command: programSchema,
      env: envSchema,
      timeoutMs: execTimeoutMs,
      maxOutputBytes: z.int().min(0).max(393_216).default(262_144).describe('Kept of each stream.'),
    }),
    output: execOutputSchema,
    errors: ['not-found', 'not-running', 'node-unreachable', 'command-disabled', 'timeout'],
  }),
} as const;
