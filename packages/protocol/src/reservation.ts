import { z } from 'zod';
import { labelKeySchema, labelValueSchema } from './placement-spec.ts';
import { queuePathSchema } from './queue.ts';
import { nameSchema } from './workload-spec.ts';

export const RESERVATION_PURPOSES = ['workload', 'maintenance'] as const;
export type ReservationPurpose = (typeof RESERVATION_PURPOSES)[number];
/** What becomes of work that holds reserved capacity already and may run past the start. */
export const RUNNING_POLICIES = ['leave', 'evict'] as const;
export type RunningPolicy = (typeof RUNNING_POLICIES)[number];

const MAX_QUEUES = 32;
const MAX_NODES = 1000;
const MAX_SELECTORS = 16;
const MAX_MODELS = 16;
const MAX_GPUS = 100_000;
const MAX_NOTICE_MS = 604_800_000;
export const DEFAULT_NOTICE_MS = 60_000;
const YEAR_MS = 31_536_000_000;
const SECOND_MS = 1000;

const RELATIVE = /^\+(\d+(\.\d+)?(s|m|h|d)){1,4}$/;

/** A moment: by the calendar with its offset, so that no time zone has to be guessed, or from now on. */
const momentSchema = z
  .string()
  .max(64)
  .refine(
    (text) =>
      text === 'now' || RELATIVE.test(text) || z.iso.datetime({ offset: true }).safeParse(text).success,
    'must be a time with its offset such as 2026-03-29T08:00:00+02:00 or 2026-03-29T06:00:00Z, ' +
      'a time from now such as +2h or +1d12h, or now',
  );

const gpuModel = z.string().min(1).max(64);

export const reservationRequestSchema = z.strictObject({
  name: nameSchema.describe('Its id: the same request again answers the reservation that is there.'),
  purpose: z
    .enum(RESERVATION_PURPOSES)
    .default('workload')
    .describe('For work of its queues, or for maintenance, when nothing runs there.'),
  start: momentSchema.describe('ISO 8601 with an offset, a time from now such as +2h, or now.'),
  end: momentSchema.optional().describe('As `start`; either this or `durationMs`.'),
  durationMs: z
    .int()
    .min(SECOND_MS)
    .max(YEAR_MS)
    .optional()
    .describe('How long it lasts; either this or `end`.'),
  gpus: z
    .int()
    .min(1)
    .max(MAX_GPUS)
    .optional()
    .describe(
      'So many whole GPUs, on as few nodes as possible; absent = all of the nodes that are asked for.',
    ),
  gpuModels: z
    .array(gpuModel)
    .max(MAX_MODELS)
    .default([])
    .describe('Any of these, matched case-insensitively as part of the model of the device; empty = any.'),
  nodes: z
    .array(z.string().min(1).max(128))
    .max(MAX_NODES)
    .default([])
    .describe('Names or ids; empty = any.'),
  nodeSelector: z
    .record(labelKeySchema, labelValueSchema)
    .refine((labels) => Object.keys(labels).length <= MAX_SELECTORS, `at most ${MAX_SELECTORS}`)
    .default({})
    .describe('Labels that its nodes have when it is made.'),
  queues: z
    .array(queuePathSchema)
    .max(MAX_QUEUES)
    .default([])
    .describe('Whose work may use it while it lasts, with that of the queues below them.'),
  running: z
    .enum(RUNNING_POLICIES)
    .default('leave')
    .describe('What becomes of work that runs there already and may outlast the start.'),
  noticeMs: z
    .int()
    .min(0)
    .max(MAX_NOTICE_MS)
    .default(DEFAULT_NOTICE_MS)
    .describe('Work that is to be evicted is told at least so long before it is asked to end.'),
});
export type ReservationRequest = z.output<typeof reservationRequestSchema>;
/** What a caller writes: defaults may be left out. */
export type ReservationRequestInput = z.input<typeof reservationRequestSchema>;

const timeMs = z.number().describe('Milliseconds since the Unix epoch.');
const count = z.int().min(0);
const gpuSum = z.number().min(0);

export const reservationViewSchema = z.object({
  name: z.string(),
  purpose: z.enum(RESERVATION_PURPOSES),
  state: z.enum(['upcoming', 'active']),
  startMs: timeMs,
  endMs: timeMs,
  queues: z.array(z.string()),
  running: z.enum(RUNNING_POLICIES),
  noticeMs: count,
  gpus: gpuSum.describe('That it holds; a MIG instance counts as the part of a GPU that it is.'),
  gpusInUse: gpuSum.describe('Of these, by work that its queues have there now.'),
  gpusOccupied: gpuSum.describe('Of these, by other work.'),
  gpusAway: gpuSum.describe('Of these, broken, or on nodes that take no work now.'),
  nodes: z.array(
    z.object({
      node: z.string().describe('Name.'),
      whole: z.boolean(),
      gpus: gpuSum,
      devices: z.array(z.string()).describe('The GPUs that are held.'),
    }),
  ),
  outlasting: z
    .array(
      z.object({
        workload: z.string().describe('Id.'),
        name: z.string(),
        node: z.string(),
        endsAtMs: timeMs.optional().describe('When its time limit ends it; absent = it has none.'),
        stopsAtMs: timeMs.optional().describe('When it is asked to end; absent = it is left.'),
      }),
    )
    .describe('Work of others that holds a part of it and may run past the start.'),
  createdAtMs: timeMs,
  message: z.string().describe('How it stands, in a sentence or two.'),
});
export type ReservationView = z.output<typeof reservationViewSchema>;
