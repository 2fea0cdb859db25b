import { z } from 'zod';
import { gpuLinkSchema, nodeInventorySchema } from '../node-inventory.ts';
import { nodeGpuViewSchema, NODE_HEALTH } from '../views.ts';
import { nameSchema } from '../workload-spec.ts';
import { command } from './command.ts';
import { envSchema, execOutputSchema, execTimeoutMs, optionalNode, programSchema } from './references.ts';

const toNode = z.strictObject({ node: optionalNode });
const nodeErrors = [
  'not-found',
  'node-ambiguous',
  'node-unreachable',
  'command-disabled',
  'timeout',
] as const;

/** What a device does not tell is absent. */
export const gpuMetricsSchema = z.object({
  deviceId: z.string(),
  utilizationPercent: z.number().optional(),
  memoryUsedMib: z.number().optional(),
  temperatureC: z.number().optional(),
  powerW: z.number().optional(),
  clockMhz: z.number().optional(),
  eccUncorrected: z.number().optional(),
});

export const systemMetricsSchema = z.object({
  cpuPercent: z.number(),
  memoryUsedMib: z.number(),
  memoryTotalMib: z.number(),
  diskUsedMib: z.number(),
  diskTotalMib: z.number(),
  loadAverage: z.number(),
});

export const systemCommands = {
  'system.info': command({
    tier: 'core',
    target: 'node',
    summary: 'Hardware and software of a node, probed afresh',
    input: toNode,
    output: z.object({ node: z.string(), agentVersion: z.string(), inventory: nodeInventorySchema }),
    errors: nodeErrors,
  }),
  'system.run': command({
    tier: 'core',
    target: 'gateway',
    summary: 'Run a short command on a given node as a workload and answer its output',
    input: z.strictObject({
      node: optionalNode,
      command: programSchema,
      env: envSchema,
      timeoutMs: execTimeoutMs,
      maxOutputBytes: z.int().min(0).max(1_048_576).default(262_144).describe('Kept of each stream.'),
      name: nameSchema.optional().describe('Of the workload; made from the program if absent.'),
    }),
    output: execOutputSchema.extend({ workload: z.string() }),
    errors: nodeErrors,
  }),
  'gpu.list': command({
    tier: 'core',
    target: 'gateway',
    summary: 'GPUs of one node or of all, with their state and what uses them',
    input: toNode,
    output: z.object({
      gpus: z.array(nodeGpuViewSchema.extend({ node: z.string() })),
      links: z.array(gpuLinkSchema.extend({ node: z.string() })),
    }),
    errors: ['not-found'],
  }),
  'gpu.metrics': command({
    tier: 'core',
    target: 'node',
    summary: 'Utilisation, memory, temperature and power of a node’s GPUs, sampled now',
    input: toNode,
    output: z.object({
      node: z.string(),
      timestampMs: z.number(),
      simulated: z.boolean(),
      gpus: z.array(gpuMetricsSchema),
      system: systemMetricsSchema,
    }),
    errors: nodeErrors,
  }),
  'node.capabilities': command({
    tier: 'core',
    target: 'node',
    summary: 'Executors, sandboxing and commands that a node offers',
    input: toNode,
    output: z.object({
      node: z.string(),
      agentVersion: z.string(),
      protocolVersion: z.int(),
      executors: nodeInventorySchema.shape.executors,
      commands: z.array(z.string()),
      disabledCommands: z.array(z.object({ name: z.string(), reason: z.string() })),
    }),
    errors: nodeErrors,
  }),
  'node.health': command({
    tier: 'core',
    target: 'node',
    summary: 'Health of a node with the findings behind it',
    input: toNode,
    output: z.object({
      node: z.string(),
      health: z.enum(NODE_HEALTH),
      findings: z.array(
        z.object({
          subject: z.string(),
          severity: z.enum(['info', 'warning', 'critical']),
          message: z.string(),
        }),
      ),
    }),
    errors: nodeErrors,
  }),
} as const;
