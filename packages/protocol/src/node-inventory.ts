import { z } from 'zod';

/**
 * How two GPUs of a node reach each other, best first; `NV` carries the number of bonded NVLinks, `XGMI` is
 * AMD's.
 */
export const GPU_LINKS = ['SELF', 'NV', 'XGMI', 'PIX', 'PXB', 'PHB', 'NODE', 'SYS', 'UNKNOWN'] as const;

export const gpuVendors = ['nvidia', 'amd', 'apple', 'intel', 'other'] as const;

/** What kind of trouble a GPU has; `driver` = its driver or its vendor's tool says so in its own words. */
export const FAULT_KINDS = ['xid', 'ecc', 'thermal', 'missing', 'driver'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/**
 * What a fault calls for, least first: nothing; the program that met it starts again; the GPU is reset when
 * it is free; the node is drained and rebooted; a person repairs or replaces hardware.
 */
export const FAULT_ACTIONS = ['ignore', 'restart-app', 'reset-gpu', 'drain-reboot', 'replace'] as const;
export type FaultAction = (typeof FAULT_ACTIONS)[number];

export const gpuFaultSchema = z.object({
  key: z
    .string()
    .min(1)
    .max(128)
    .describe('The same as long as it is the same occurrence: a fault with a new key is a new one.'),
  kind: z.enum(FAULT_KINDS),
  code: z.int().min(0).optional().describe('Number of the Xid.'),
  action: z.enum(FAULT_ACTIONS),
  message: z.string().max(500),
});
export type GpuFault = z.output<typeof gpuFaultSchema>;
/** Of one GPU in one report; the gravest are kept. */
export const MAX_GPU_FAULTS = 16;

export const gpuDeviceSchema = z.object({
  /**
   * Stable over reboots where the vendor gives such an id (`GPU-…`, a PCI address), unique within the node.
   */
  id: z.string(),
  index: z.int().min(0),
  vendor: z.enum(gpuVendors),
  model: z.string(),
  memoryMib: z.int().min(0),
  pciAddress: z.string().optional(),
  driverVersion: z.string().optional(),
  computeCapability: z.string().optional(),
  numaNode: z.int().optional(),
  powerLimitW: z.number().optional(),
  migEnabled: z.boolean().optional(),
  /** Set for a MIG instance: the id of the GPU it is a slice of, and its profile such as `1g.10gb`. */
  parentId: z.string().optional(),
  migProfile: z.string().optional(),
  /** `healthy`, or why not to place work here. */
  health: z.object({ state: z.enum(['healthy', 'degraded', 'unhealthy']), reason: z.string().optional() }),
  /** What is wrong with it now, and what of it still counts; absent from older nodes. */
  faults: z.array(gpuFaultSchema).max(MAX_GPU_FAULTS).optional(),
  /** Not real hardware: made up by `--simulate-gpus`. */
  simulated: z.boolean(),
});
export type GpuDevice = z.output<typeof gpuDeviceSchema>;

export const gpuLinkSchema = z.object({
  from: z.string(),
  to: z.string(),
  link: z.enum(GPU_LINKS),
  /** NVLinks bonded, for `NV`. */
  width: z.int().min(0).optional(),
});

/**
 * What a node has. `probes` says what was looked for and how it went, so that "no GPU" can be told from "no
 * answer".
 */
export const nodeInventorySchema = z.object({
  hostname: z.string(),
  os: z.string(),
  kernel: z.string(),
  architecture: z.string(),
  cpu: z.object({
    model: z.string(),
    cores: z.int().min(1),
    sockets: z.int().min(1),
    numaNodes: z.int().min(1),
  }),
  memoryMib: z.int().min(1),
  disk: z.object({ path: z.string(), totalMib: z.int().min(0), freeMib: z.int().min(0) }),
  gpus: z.array(gpuDeviceSchema).max(256),
  gpuLinks: z.array(gpuLinkSchema).max(65_536),
  executors: z.array(
    z.object({
      kind: z.enum(['process', 'container']),
      available: z.boolean(),
      sandbox: z.string().describe('bubblewrap, none, or the engine and its version.'),
      limitations: z
        .array(z.string())
        .describe('What this host cannot enforce or offer, in words for a user.'),
    }),
  ),
  probes: z.array(
    z.object({
      name: z.string(),
      outcome: z.enum(['found', 'absent', 'failed', 'timed-out']),
      detail: z.string().optional(),
      durationMs: z.number(),
    }),
  ),
});
export type NodeInventory = z.output<typeof nodeInventorySchema>;
