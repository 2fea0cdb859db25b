import { z } from 'zod';
import { tolerationSchema } from './placement-spec.ts';
import { quotaSchema } from './queue.ts';
import { CAUSES, WAIT_REASONS } from './views.ts';
import { WORKLOAD_STATES } from './workload-state.ts';

/** Why a node cannot take a workload now, most fundamental first; of several the first one counts. */
export const OBSTACLES = [
  'other-node',
  'label',
  'affinity',
  'executor',
  'sandbox',
  'cpu',
  'memory',
  'gpu-count',
  'mig-profile',
  'gpu-model',
  'nvlink',
  'gpus-apart',
  'gpu-health',
  'taint',
  'cordoned',
  'draining',
  'unreachable',
  'not-ready',
  'reserved',
  'gpus-in-use',
  'gpu-share-in-use',
  'nvlink-in-use',
  'gpus-apart-in-use',
  'cpu-in-use',
  'memory-in-use',
] as const;
export type ObstacleCode = (typeof OBSTACLES)[number];

/** What can be changed, or waited for, so that a workload starts. */
export const REMEDY_STEPS = [
  'ask-gpus',
  'ask-gpu-share',
  'ask-mig',
  'ask-nvlink',
  'ask-model',
  'ask-gpu-memory',
  'ask-cpu',
  'ask-memory',
  'ask-label',
  'ask-affinity',
  'ask-sandbox',
  'ask-members',
  'ask-topology',
  'ask-spread',
  'tolerate',
  'uncordon',
  'untaint',
  'label-node',
  'release-gpu',
  'reconnect',
  'raise-limit',
  'ask-timeout',
  'wait-reservation',
  'delete-reservation',
  'wait',
] as const;

const timeMs = z.number().describe('Milliseconds since the Unix epoch.');
const count = z.int().min(0);
/** Of each list here, so that an answer stays readable however large the fleet is. */
export const MAX_WHY_ITEMS = 20;

const obstacleSchema = z.object({
  code: z.enum(OBSTACLES),
  what: z.string().optional().describe('The label, taint, rule, model or state that the code is about.'),
  needs: z.number().optional().describe('GPUs, thousandths of a GPU or a CPU, or MiB, as the code says.'),
  has: z.number().optional().describe('Of these, what the node could give.'),
});
export type Obstacle = z.output<typeof obstacleSchema>;

const obstacleCountSchema = obstacleSchema.pick({ code: true, what: true }).extend({
  nodes: count,
  message: z.string(),
});
export type ObstacleCount = z.output<typeof obstacleCountSchema>;

const holderSchema = z.object({
  workload: z.string().describe('Id.'),
  name: z.string(),
  endsAtMs: timeMs.optional().describe('When its time limit ends it; absent = it has none.'),
});

const remedyStepSchema = z.object({
  step: z.enum(REMEDY_STEPS),
  node: z.string().optional().describe('Name of the node that is to change, or where to wait.'),
  gpus: count.optional(),
  gpuMilli: count.optional(),
  migProfile: z.string().optional(),
  gpuModels: z.array(z.string()).optional(),
  minGpuMemoryMib: count.optional(),
  cpuMilli: count.optional(),
  memoryMib: count.optional(),
  members: count.optional().describe('Of a gang.'),
  level: z.string().optional().describe('Of the topology, to prefer only.'),
  label: z.string().optional().describe('To ask for no more, or to give to the node.'),
  value: z.string().optional().describe('Of the label, on the node.'),
  tolerations: z.array(tolerationSchema).optional().describe('To add.'),
  taints: z.array(z.string()).optional().describe('To remove, as key:effect.'),
  gpuIds: z.array(z.string()).optional().describe('To bring back into use.'),
  queue: z.string().optional().describe('Whose limit is to be raised.'),
  limit: quotaSchema.optional().describe('All of its limit then.'),
  timeoutMs: count.optional().describe('Its time limit then.'),
  reservations: z.array(z.string()).optional().describe('Names of those in the way.'),
  endsAtMs: timeMs.optional().describe('When the reservation is in the way no more.'),
  until: z.array(holderSchema).optional().describe('Workloads that have to end first.'),
});
export type RemedyStep = z.output<typeof remedyStepSchema>;

const remedySchema = z.object({
  steps: z.array(remedyStepSchema).describe('All of them together make it start.'),
  message: z.string(),
  commands: z.array(z.string()).describe('To type, where a command does it.'),
  certain: z
    .boolean()
    .describe('It starts then; false = something that has waited longer would take the place first.'),
});
export type Remedy = z.output<typeof remedySchema>;

const startSchema = z.object({
  estimate: z.enum(['range', 'unknown']),
  fromMs: timeMs.optional(),
  toMs: timeMs.optional(),
  message: z.string().describe('What the range rests on, or why there is none.'),
});
export type StartEstimate = z.output<typeof startSchema>;

export const waitExplanationSchema = z.object({
  reason: z.enum(WAIT_REASONS),
  message: z.string(),
  nodes: count.describe('That were looked at: all of the fleet.'),
  obstacles: z.array(obstacleCountSchema).describe('Each node is counted once, under its first obstacle.'),
  nearest: z
    .object({ node: z.string(), obstacles: z.array(obstacleSchema), message: z.string() })
    .optional()
    .describe('The node that lacks least.'),
  remedies: z
    .array(remedySchema)
    .describe('The smallest change first; each was tried on a copy of the fleet.'),
  ahead: count.describe('Workloads that have waited longer.'),
  start: startSchema,
});
export type WaitExplanation = z.output<typeof waitExplanationSchema>;

const placementReasonSchema = z.object({
  attempt: z.string(),
  number: z.int(),
  node: z.string().describe('Name.'),
  devices: z.array(z.string()),
  gpuMilli: z.int().optional().describe('Thousandths of its one GPU; absent = all of each.'),
  placedAtMs: timeMs,
  nodes: count
    .optional()
    .describe('That were looked at; absent for placements of older versions, as the rest.'),
  retried: z
    .boolean()
    .optional()
    .describe('It had fitted nowhere before, so that only nodes that had changed since were looked at.'),
  candidates: count.optional().describe('Nodes that had room.'),
  cost: z.number().optional().describe('What the place cost the rest of the fleet; the least of all.'),
  runnerUp: z.object({ node: z.string(), cost: z.number() }).optional().describe('What was second.'),
  others: z.array(obstacleCountSchema).optional().describe('Why the others had no room.'),
});
export type PlacementReason = z.output<typeof placementReasonSchema>;

export const whySchema = z.object({
  workload: z.string().describe('Id.'),
  name: z.string(),
  state: z.enum(WORKLOAD_STATES),
  message: z.string().describe('The answer in a few sentences.'),
  waiting: waitExplanationSchema.optional().describe('While it waits.'),
  placement: placementReasonSchema.optional().describe('Of its latest attempt.'),
  chain: z
    .array(z.object({ timeMs, type: z.string(), cause: z.enum(CAUSES), message: z.string() }))
    .describe('What led to its present state, oldest first.'),
});
export type WhyView = z.output<typeof whySchema>;

const startedSchema = z.object({
  workload: z.string().optional().describe('Id; absent for what is only imagined.'),
  name: z.string(),
  node: z.string(),
  devices: z.array(z.string()),
  gpuMilli: z.int().optional().describe('Thousandths of its one GPU; absent = all of each.'),
  from: z.string().optional().describe('The node that it would leave.'),
});

export const whatIfSchema = z.object({
  message: z.string().describe('The answer in a few sentences.'),
  starts: z.array(startedSchema).describe('What was asked for, and would start now.'),
  waits: count.describe('How many of what was asked for would wait.'),
  waiting: waitExplanationSchema.optional().describe('Why they would.'),
  moves: z.array(startedSchema).describe('What runs on drained nodes, and would go elsewhere.'),
  stranded: z
    .array(z.object({ workload: z.string(), name: z.string(), message: z.string() }))
    .describe('What runs on drained nodes, and would wait or end.'),
  unblocked: z.array(startedSchema).describe('What waits now, and would start.'),
});
export type WhatIf = z.output<typeof whatIfSchema>;
