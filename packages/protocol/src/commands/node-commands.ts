import { z } from 'zod';
import {
  labelKeySchema,
  labelValueSchema,
  MAX_NODE_LABELS,
  MAX_TAINTS,
  TAINT_EFFECTS,
  taintSchema,
} from '../placement-spec.ts';
import { nodeViewSchema } from '../views.ts';
import { command } from './command.ts';
import { cursorSchema, nextSchema, nodeReference } from './references.ts';

const toNode = z.strictObject({ node: nodeReference });
const count = z.int().min(0);

/** Administration of the machines of the fleet. */
export const nodeCommands = {
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
    errors: ['not-found', 'name-taken', 'conflict'],
  }),
  'node.drain': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Place nothing more on a node and let its work end, until a deadline; with force stop the work',
    input: z.strictObject({
      node: nodeReference,
      force: z.boolean().default(false).describe('Stop the work that runs there, for good.'),
      deadlineMs: z
        .int()
        .min(0)
        .max(2_592_000_000)
        .optional()
        .describe(
          'After so long what still runs is moved: stopped politely, and begun anew on another node. ' +
            'Absent = never; asked for again, the last deadline counts.',
        ),
      maxParallel: z
        .int()
        .min(1)
        .max(1000)
        .default(8)
        .describe('Moves at once, so that the rest is not flooded.'),
    }),
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.cordon': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Place nothing more on a node; what runs there runs on',
    input: toNode,
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.uncordon': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Give a cordoned, draining or drained node work again; moves under way are not taken back',
    input: toNode,
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.retire': command({
    tier: 'fleet',
    target: 'gateway',
    summary:
      'Take a drained node, or one that waits for approval, out of the fleet; node.approve admits it anew',
    input: z.strictObject({
      node: nodeReference,
      force: z
        .boolean()
        .default(false)
        .describe(
          'A node out of reach, in any state: you vouch that it is gone for good. What ran there is lost, and is ' +
            'replaced where it asks for that; exclusive work never is.',
        ),
    }),
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.label': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Set and remove labels of a node; they go before those that the node brings',
    input: z.strictObject({
      node: nodeReference,
      set: z.record(labelKeySchema, labelValueSchema).default({}).describe('Labels to have, with values.'),
      remove: z.array(labelKeySchema).max(MAX_NODE_LABELS).default([]).describe('Labels to have no more.'),
    }),
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.taint': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Keep work away from a node that does not tolerate it; a taint is known by key and effect',
    input: z.strictObject({
      node: nodeReference,
      add: z
        .array(taintSchema)
        .max(MAX_TAINTS)
        .default([])
        .describe('Taints to have; one of the same key and effect is replaced.'),
      remove: z
        .array(taintSchema.pick({ key: true }).extend({ effect: z.enum(TAINT_EFFECTS).optional() }))
        .max(MAX_TAINTS)
        .default([])
        .describe('By key, or by key and effect.'),
    }),
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.thaw': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Believe that the silent nodes are gone: end the freeze after a mass loss',
    input: z.strictObject({}),
    output: z.object({ thawed: count.describe('Nodes that are believed gone; 0 if nothing was frozen.') }),
    errors: [],
  }),
  'gpu.release': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Give a quarantined GPU work again, or stop expecting one that is missing',
    input: z.strictObject({
      node: nodeReference,
      gpu: z.string().min(1).max(128).describe('Id or index of the GPU.'),
    }),
    output: nodeViewSchema,
    errors: ['not-found', 'conflict'],
  }),
  'node.undrain': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'As node.uncordon',
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
} as const;
