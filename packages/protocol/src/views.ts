import { z } from 'zod';
import { END_REASONS, NODE_ATTEMPT_STATES } from './attempt.ts';
import { FAULT_ACTIONS, FAULT_KINDS, gpuDeviceSchema, nodeInventorySchema } from './node-inventory.ts';
import { taintSchema } from './placement-spec.ts';
import { workloadSpecSchema } from './workload-spec.ts';
import { WORKLOAD_STATES } from './workload-state.ts';

/** The first two are the gateway's own: nothing was reported yet. */
export const ATTEMPT_STATES = ['placed', 'offered', ...NODE_ATTEMPT_STATES] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

/** Why a workload waits, most fundamental first: the first tier that applies is shown. */
export const WAIT_REASONS = [
  'config-error',
  'never-fits',
  'over-limit',
  'waiting-for-quota',
  'topology',
  'waiting-for-capacity',
  'no-nodes',
  'delayed',
  'held',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** Who or what moved a workload or an attempt. */
export const CAUSES = [
  'user',
  'scheduler',
  'preemptor',
  'health',
  'node-loss',
  'limit',
  'system',
  'node',
] as const;
export type Cause = (typeof CAUSES)[number];

/** What begins a workload anew by a budget of its own: what one spends, another keeps. */
export const RETRY_POLICIES = ['restart', 'reschedule', 'replace'] as const;
export type RetryPolicy = (typeof RETRY_POLICIES)[number];
/** `move` = the fleet took it off its node; it spends no budget. */
export const BEGIN_POLICIES = [...RETRY_POLICIES, 'move'] as const;
export type BeginPolicy = (typeof BEGIN_POLICIES)[number];

/** Gathering: no program begins before all members are ready. Released: it waits for places again. */
export const GANG_PHASES = ['gathering', 'running', 'releasing', 'released'] as const;

const timeMs = z.number().describe('Milliseconds since the Unix epoch.');

export const attemptViewSchema = z.object({
  id: z.string(),
  number: z.int(),
  rank: z.int().optional().describe('Of a member of a gang.'),
  generation: z.int().optional().describe('Of a member: which reservation of its gang it belongs to.'),
  state: z.enum(ATTEMPT_STATES),
  unknownSinceMs: timeMs
    .optional()
    .describe('Since when nothing is known of it: its node is out of reach. Its GPUs stay with it.'),
  evicted: z
    .object({ cause: z.enum(CAUSES), message: z.string() })
    .optional()
    .describe('The fleet took it off its node, and why.'),
  fenced: z
    .boolean()
    .optional()
    .describe('Lost, and certainly ended: its node had to stop it by itself by then.'),
  nodeId: z.string(),
  nodeName: z.string(),
  devices: z.array(z.string()),
  gpuMilli: z.int().optional().describe('Thousandths of its one GPU that it holds; absent = all of each.'),
  migMilli: z
    .array(z.int())
    .optional()
    .describe('Thousandths of a GPU that each of its MIG instances counts as; absent = they are none.'),
  epoch: z.object({ term: z.int(), counter: z.int() }),
  exitCode: z.int().optional(),
  signal: z.string().optional(),
  endReason: z.enum(END_REASONS).optional(),
  message: z.string().optional(),
  sandbox: z.enum(['bubblewrap', 'container', 'none']).optional(),
  limitations: z.array(z.string()),
  placedAtMs: timeMs,
  startedAtMs: timeMs.optional(),
  finishedAtMs: timeMs.optional(),
});
export type AttemptView = z.output<typeof attemptViewSchema>;

export const workloadViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  namespace: z.string(),
  state: z.enum(WORKLOAD_STATES),
  waiting: z
    .object({ reason: z.enum(WAIT_REASONS), message: z.string() })
    .optional()
    .describe('Set while it waits: a code, and a sentence with what would help.'),
  spec: workloadSpecSchema,
  attempt: attemptViewSchema.optional().describe('The latest one; of a gang that of rank 0, or that failed.'),
  gang: z
    .object({
      generation: z.int().describe('Counts its reservations.'),
      phase: z.enum(GANG_PHASES),
      level: z.string().describe('The lowest level of the topology on which one place holds all of it.'),
      members: z.int().describe('That were asked for; an elastic gang may have fewer.'),
      placed: z.int(),
      ready: z.int().describe('That wait for the others.'),
      running: z.int(),
      succeeded: z.int(),
    })
    .optional()
    .describe('Of a gang that has had places: its newest reservation.'),
  exitCode: z.int().optional().describe('Of the latest attempt once it has ended.'),
  signal: z.string().optional(),
  endReason: z.enum(END_REASONS).optional(),
  message: z.string().optional(),
  budgets: z
    .partialRecord(z.enum(RETRY_POLICIES), z.object({ attempts: z.int(), spent: z.int() }))
    .optional()
    .describe('Of the policies that it asks for: tries, and how many are spent.'),
  beginsAnew: z
    .object({
      policy: z.enum(BEGIN_POLICIES),
      formerNode: z.string().describe('Name of the node where it ran before.'),
      notBeforeMs: timeMs,
    })
    .optional()
    .describe('While it waits to begin anew after an attempt has ended.'),
  priority: z
    .int()
    .optional()
    .describe('What its queue said at its submission; absent = what its specification says, else 0.'),
  preemptions: z.int().optional().describe('How often it had to make room for other work.'),
  moves: z.int().optional().describe('How often it was taken off a node to begin anew on another.'),
  simulated: z.boolean().describe('It runs, or ran, on GPUs that --simulate-gpus made up.'),
  submittedAtMs: timeMs,
  startedAtMs: timeMs.optional(),
  finishedAtMs: timeMs.optional(),
});
export type WorkloadView = z.output<typeof workloadViewSchema>;

export const CONNECTIVITY = ['connected', 'suspect', 'disconnected', 'lost'] as const;
export const ELIGIBILITY = [
  'joining',
  'verifying',
  'schedulable',
  'cordoned',
  'draining',
  'drained',
  'retired',
] as const;
export const NODE_HEALTH = ['healthy', 'degraded', 'unhealthy', 'quarantined', 'probation'] as const;
export const GPU_STATES = ['free', 'reserved', 'in-use', 'cleaning', 'quarantined', 'missing'] as const;

/** Why a GPU gets no work, beside its being in use; `missing` = its node no longer shows it. */
export const GPU_CONDITIONS = ['quarantined', 'missing', 'probation'] as const;
export type GpuConditionState = (typeof GPU_CONDITIONS)[number];

export const nodeGpuViewSchema = gpuDeviceSchema.extend({
  state: z
    .enum(GPU_STATES)
    .describe(
      'Quarantined also on probation: condition says which. Work that still runs there is in attemptId.',
    ),
  attemptId: z.string().optional().describe('Of the oldest, if several share it.'),
  workloadName: z.string().optional().describe('Of the same; absent from older gateways.'),
  freeMilli: z.int().optional().describe('Thousandths that nobody holds; absent from older gateways.'),
  migMilli: z
    .int()
    .optional()
    .describe('Of a MIG instance: thousandths of a GPU that it is and counts as in all sums of GPUs.'),
  shares: z
    .array(
      z.object({
        attemptId: z.string(),
        workloadId: z.string(),
        workloadName: z.string().optional(),
        gpuMilli: z.int(),
      }),
    )
    .optional()
    .describe('Who holds how many thousandths of it; absent unless it is shared.'),
  condition: z
    .object({
      state: z.enum(GPU_CONDITIONS),
      kind: z.enum(FAULT_KINDS),
      action: z.enum(FAULT_ACTIONS).describe('What the fault calls for.'),
      message: z.string(),
      sinceMs: timeMs,
      untilMs: timeMs.optional().describe('End of the probation, if no new fault comes.'),
    })
    .optional()
    .describe('Absent while it may be given work.'),
});

export const nodeViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  approved: z.boolean(),
  connectivity: z.enum(CONNECTIVITY),
  eligibility: z.enum(ELIGIBILITY),
  health: z.enum(NODE_HEALTH),
  healthReason: z.string().optional(),
  labels: z.record(z.string(), z.string()),
  taints: z.array(taintSchema).default([]),
  drain: z
    .object({
      deadlineAtMs: timeMs.optional().describe('What still runs then is moved away; absent = never.'),
      maxParallel: z.int().describe('Moves from this node at once.'),
    })
    .optional()
    .describe('While it is draining.'),
  agentVersion: z.string(),
  fingerprint: z.string().describe('Short hash of the public key, to compare before approving.'),
  hostname: z.string(),
  cpuModel: z.string(),
  capacity: z
    .object({ cpuMilli: z.int(), memoryMib: z.int(), gpus: z.number().min(0) })
    .describe('GPUs that may be used; a MIG instance counts as the part of a GPU that it is (migMilli).'),
  free: z
    .object({ cpuMilli: z.int(), memoryMib: z.int(), gpus: z.number().min(0) })
    .describe('GPUs and MIG instances of which nothing is given away, in the same measure.'),
  gpus: z.array(nodeGpuViewSchema),
  executors: nodeInventorySchema.shape.executors,
  simulated: z.boolean(),
  attempts: z.int().describe('Live attempts on the node.'),
  joinedAtMs: timeMs,
  lastSeenAtMs: timeMs.optional(),
});
export type NodeView = z.output<typeof nodeViewSchema>;

/** One entry of the fleet's gap-free event log. */
export const eventViewSchema = z.object({
  sequence: z.int(),
  timeMs,
  namespace: z.string(),
  type: z.string().describe('Such as workload.queued, attempt.running, node.connected, config.updated.'),
  subject: z.string().describe('Id of the workload or node, or key of the configuration entry.'),
  cause: z.enum(CAUSES),
  message: z.string(),
  facts: z.record(z.string(), z.json()),
});
export type EventView = z.output<typeof eventViewSchema>;

export const configEntrySchema = z.object({
  key: z.string(),
  value: z.json(),
  version: z.int(),
  updatedAtMs: timeMs,
});
export type ConfigEntry = z.output<typeof configEntrySchema>;
