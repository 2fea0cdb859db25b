import { z } from 'zod';
import { eventViewSchema, nodeViewSchema } from '../views.ts';
import { command } from './command.ts';
import { cursorSchema, nextSchema, nodeReference } from './references.ts';

const toNode = z.strictObject({ node: nodeReference });
const count = z.int().min(0);

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
      gpus: z.object({ total: count, free: count, simulated: count }),
      workloads: z.record(z.string(), count).describe('How many are in each state.'),
      settlement: z
        .object({
          state: z.enum(['open', 'opening', 'failed']),
          network: z.string().optional(),
          message: z.string().optional().describe('Why it is not open.'),
        })
        .optional()
        .describe('The ledger of this gateway; absent where it has none.'),
      warnings: z.array(z.string()).describe('What needs the attention of somebody, in sentences.'),
    }),
    errors: [],
  }),
  'node.list': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Nodes of the fleet, by name, in pages',
    input: z.strictObject({
      limit: z.int().min(1).max(10_000).default(1000).describe('Nodes of one page.'),
      cursor: cursorSchema,
    }),
    output: z.object({ nodes: z.array(nodeViewSchema), next: nextSchema }),
    errors: [],
  }),
  'node.info': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'One node in full',
    input: toNode,
    output: nodeViewSchema,
    errors: ['not-found'],
  }),
  'node.pending': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Nodes that wait for approval',
    input: z.strictObject({}),
    output: z.object({ nodes: z.array(nodeViewSchema) }),
    errors: [],
  }),
  'node.approve': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Admit a waiting node to the fleet',
    input: toNode,
    output: nodeViewSchema,
    errors: ['not-found', 'name-taken'],
  }),
  'node.drain': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Place nothing more on a node and let its work end; with force stop the work',
    input: z.strictObject({
      node: nodeReference,
      force: z.boolean().default(false).describe('Stop the work that runs there.'),
    }),
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.undrain': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Make a cordoned, draining or drained node schedulable again',
    input: toNode,
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.token': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Make a one-time token with which a node may join',
    input: z.strictObject({
      approve: z.boolean().default(true).describe('The node that uses it needs no approval.'),
      lifetimeMs: z.int().min(1000).max(604_800_000).default(3_600_000).describe('How long it may be used.'),
    }),
    output: z.object({ token: z.string(), expiresAtMs: z.number() }),
    errors: [],
  }),
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
