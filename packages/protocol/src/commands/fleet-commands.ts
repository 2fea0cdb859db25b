import { z } from 'zod';
import { eventViewSchema } from '../views.ts';
import { command } from './command.ts';
import { nodeCommands } from './node-commands.ts';

const count = z.int().min(0);
const gpuSum = z.number().min(0);

export const fleetCommands = {
  'fleet.status': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'The fleet at a glance',
    input: z.strictObject({}),
    output: z.object({
      gatewayId: z.string(),
      version: z.string(),
      startedAtMs: z.number(),
      url: z.string(),
      storage: z.string(),
      writerTerm: z.int(),
      nodes: z.object({ total: count, connected: count, schedulable: count, pending: count }),
      gpus: z
        .object({ total: gpuSum, free: gpuSum, simulated: gpuSum })
        .describe('MIG instances count as the part of a GPU that they are.'),
      workloads: z.record(z.string(), count).describe('How many are in each state.'),
      settlement: z
        .object({
          state: z.enum(['open', 'opening', 'failed']),
          network: z.string().optional(),
          message: z.string().optional().describe('Why it is not open, or what is not as it should be.'),
        })
        .optional()
        .describe('The ledger of this gateway; absent where it has none.'),
      frozen: z
        .object({
          sinceMs: z.number(),
          silent: count.describe('Nodes that fell silent and are not back.'),
          of: count.describe('Nodes that were there.'),
        })
        .optional()
        .describe(
          'So many nodes fell silent together that the network of the gateway is suspected: nothing is moved, ' +
            'evicted or called lost until most are back, or until node.thaw.',
        ),
      warnings: z.array(z.string()).describe('What needs the attention of somebody, in sentences.'),
    }),
    errors: [],
  }),
  ...nodeCommands,
  'event.list': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Events from a sequence number on, or the newest; GET /api/events streams them',
    input: z.strictObject({
      from: z.int().min(0).default(0).describe('Sequence number of the first event wanted.'),
      subject: z
        .string()
        .max(253)
        .optional()
        .describe('Only of this workload, node or configuration entry, by id or key.'),
      limit: z.int().min(1).max(1000).default(100).describe('Events of one answer.'),
      newest: z.boolean().default(false).describe('The newest `limit` of them instead of the oldest.'),
    }),
    output: z.object({
      events: z.array(eventViewSchema).describe('In the order of their sequence numbers.'),
      next: z.int().describe('Ask from here on for what comes after.'),
    }),
    errors: [],
  }),
} as const;
