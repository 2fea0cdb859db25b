import { z } from 'zod';
import { whatIfSchema, whySchema } from '../why.ts';
import { workloadSpecSchema } from '../workload-spec.ts';
import { command } from './command.ts';
import { nodeReference, workloadReference } from './references.ts';

/** Of one kind that may be imagined at once. */
const MAX_IMAGINED = 100;

/** Questions about decisions of the scheduler. */
export const whyCommands = {
  'workload.why': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Why a workload waits and what would help, why it is where it is, or how it came to its end',
    input: z.strictObject({ workload: workloadReference }),
    output: whySchema,
    errors: ['not-found'],
  }),
  'fleet.what-if': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'What the fleet would do, tried on a copy: with more work, without a node, without a workload',
    input: z
      .strictObject({
        spec: workloadSpecSchema.optional().describe('Asked for; it is not submitted.'),
        count: z.int().min(1).max(1000).default(1).describe('How many of it.'),
        drain: z
          .array(nodeReference)
          .max(MAX_IMAGINED)
          .default([])
          .describe('Nodes that take no more work, and whose work moves elsewhere.'),
        without: z
          .array(workloadReference)
          .max(MAX_IMAGINED)
          .default([])
          .describe('Workloads that have ended.'),
      })
      .refine(({ spec, drain, without }) => spec !== undefined || drain.length + without.length > 0, {
        message: 'say what is imagined: spec, drain or without',
      }),
    output: whatIfSchema,
    errors: ['not-found', 'not-supported'],
  }),
} as const;
