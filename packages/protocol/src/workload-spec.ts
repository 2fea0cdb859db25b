import { z } from 'zod';

/** What a workload without a request reserves on its node; it is not limited to it. */
export const DEFAULT_RESERVATION = { cpuMilli: 100, memoryMib: 64 } as const;
export const DEFAULT_STOP_GRACE_MS = 10_000;

const MAX_COMMAND_BYTES = 128 * 1024;
const label = z.string().max(253);
const absolutePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'must be an absolute path');
const withoutNul = z.string().refine((text) => !text.includes('\0'), 'must not contain a NUL character');

/** Lower-case DNS label: what names of nodes, workloads and namespaces look like (RFC 1123). */
export const nameSchema = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
    'must be 1–63 of a–z, 0–9, "-" and ".", starting and ending with a letter or digit',
  );

const resourcesSchema = z
  .strictObject({
    /** Whole GPUs of one node. */
    gpus: z.int().min(0).max(64).default(0),
    /** Any of these models, matched case-insensitively as part of the device's model name; empty = any. */
    gpuModels: z.array(z.string().min(1).max(64)).max(16).default([]),
    /** Memory that each GPU must have, MiB. */
    minGpuMemoryMib: z.int().min(0).max(16_777_216).default(0),
    /** CPU in thousandths of a core: reserved and enforced; absent = DEFAULT_RESERVATION, not limited. */
    cpuMilli: z.int().min(10).max(1_024_000).optional(),
    /** Memory in MiB: reserved and enforced; absent = DEFAULT_RESERVATION, not limited. */
    memoryMib: z.int().min(4).max(16_777_216).optional(),
  })
  .prefault({});

const mountSchema = z.strictObject({
  source: absolutePath,
  target: absolutePath,
  readOnly: z.boolean().default(true),
});

/**
 * What a user asks to run. Defined here once; the node protocol carries its canonical JSON.
 * With an `image` it runs in a container, else as a process on the node.
 */
export const workloadSpecSchema = z
  .strictObject({
    name: nameSchema.optional(),
    image: z.string().min(1).max(512).optional(),
    /** Program and arguments; may be empty only for an image with a command of its own. */
    command: z.array(withoutNul).max(4096).default([]),
    env: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a name for an environment variable'),
        withoutNul,
      )
      .default({}),
    workingDirectory: absolutePath.optional(),
    resources: resourcesSchema,
    /**
     * Processes only: `required` never runs bare, `preferred` runs bare where the node's policy allows it and
     * says so, `off` asks for bare.
     */
    sandbox: z.enum(['required', 'preferred', 'off']).default('preferred'),
    network: z.enum(['host', 'none']).default('host'),
    mounts: z.array(mountSchema).max(64).default([]),
    /** Labels that the node must have. */
    nodeSelector: z.record(label, label).default({}),
    labels: z.record(label, label).default({}),
    /** Stops the workload this long after its start; absent = no limit. */
    timeoutMs: z.int().min(1).max(31_536_000_000).optional(),
    /** Between the polite signal and the kill. */
    stopGraceMs: z.int().min(0).max(3_600_000).default(DEFAULT_STOP_GRACE_MS),
  })
  .refine((spec) => spec.image !== undefined || spec.command.length > 0, {
    message: 'a workload without an image needs a command',
    path: ['command'],
  })
  .refine((spec) => spec.command[0] !== '', {
    message: 'the program must not be empty',
    path: ['command', 0],
  })
  .refine((spec) => JSON.stringify([spec.command, spec.env]).length <= MAX_COMMAND_BYTES, {
    message: `command and environment together must stay below ${MAX_COMMAND_BYTES} bytes`,
    path: ['command'],
  });

export type WorkloadSpec = z.output<typeof workloadSpecSchema>;
export type WorkloadSpecInput = z.input<typeof workloadSpecSchema>;
