import { z } from 'zod';
import { gpuShareFields, placementFields } from './placement-spec.ts';

/** What a workload without a request reserves on its node; it is not limited to it. */
export const DEFAULT_RESERVATION = { cpuMilli: 100, memoryMib: 64 } as const;
export const DEFAULT_STOP_GRACE_MS = 10_000;

const MAX_COMMAND_BYTES = 128 * 1024;
const MAX_SPEC_BYTES = 256 * 1024;
const MAX_LABELS = 64;
const label = z.string().max(253);
const labels = z
  .record(label, label)
  .refine((all) => Object.keys(all).length <= MAX_LABELS, `must be at most ${MAX_LABELS}`)
  .default({});
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
    gpus: z.int().min(0).max(64).default(0).describe('Whole GPUs of one node.'),
    gpuModels: z
      .array(z.string().min(1).max(64))
      .max(16)
      .default([])
      .describe(
        'Any of these models, matched case-insensitively as part of the model of the device; empty = any.',
      ),
    minGpuMemoryMib: z
      .int()
      .min(0)
      .max(16_777_216)
      .default(0)
      .describe('Memory that each GPU, MIG instance or share must have, MiB.'),
    cpuMilli: z
      .int()
      .min(10)
      .max(1_024_000)
      .optional()
      .describe(
        `CPU in thousandths of a core: reserved and enforced; absent = ${DEFAULT_RESERVATION.cpuMilli} reserved, no limit.`,
      ),
    memoryMib: z
      .int()
      .min(4)
      .max(16_777_216)
      .optional()
      .describe(
        `Memory in MiB: reserved and enforced; absent = ${DEFAULT_RESERVATION.memoryMib} reserved, no limit.`,
      ),
    ...gpuShareFields,
  })
  .refine(({ gpus, gpuMilli }) => gpuMilli === undefined || gpus === 0, {
    message: 'a share of one GPU goes without whole GPUs: leave gpus out',
    path: ['gpuMilli'],
  })
  .refine(({ gpus, migProfile }) => migProfile === undefined || gpus > 0, {
    message: 'goes with gpus: how many instances of it',
    path: ['migProfile'],
  })
  .refine(({ migProfile, nvlink }) => migProfile === undefined || nvlink !== 'required', {
    message: 'MIG instances do not reach each other over NVLink',
    path: ['nvlink'],
  })
  .prefault({});

const mountSchema = z.strictObject({
  source: absolutePath.describe('Folder of the node.'),
  target: absolutePath.describe('Where it is seen by the workload.'),
  readOnly: z.boolean().default(true),
});

/** What a user asks to run. Defined here once; the node protocol carries its canonical JSON. */
export const workloadSpecSchema = z
  .strictObject({
    name: nameSchema
      .optional()
      .describe('Free again once a workload of that name has ended; made from the program if absent.'),
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe('Runs in a container of this image; absent = as a process on the node.'),
    command: z
      .array(withoutNul)
      .max(4096)
      .default([])
      .describe(
        'Program and arguments; may be empty only for an image with a command of its own. ' +
          `Together with env at most ${MAX_COMMAND_BYTES} bytes of JSON.`,
      ),
    env: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a name for an environment variable'),
        withoutNul,
      )
      .default({}),
    workingDirectory: absolutePath.optional(),
    resources: resourcesSchema,
    sandbox: z
      .enum(['required', 'preferred', 'off'])
      .default('preferred')
      .describe(
        'Processes only: required never runs bare, preferred runs bare where the policy of the node allows it ' +
          'and says so, off asks for bare.',
      ),
    network: z.enum(['host', 'none']).default('host'),
    mounts: z.array(mountSchema).max(64).default([]),
    nodeSelector: labels.describe(
      `Labels that the node must have, at most ${MAX_LABELS}; "node" is the name of a node.`,
    ),
    labels: labels.describe(`Labels of the workload, at most ${MAX_LABELS}.`),
    timeoutMs: z
      .int()
      .min(1)
      .max(31_536_000_000)
      .optional()
      .describe('Stops the workload this long after its start; absent = no limit.'),
    stopGraceMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(DEFAULT_STOP_GRACE_MS)
      .describe('Between the polite signal and the kill.'),
    ...placementFields,
  })
  .refine((spec) => spec.spread === undefined || spec.gang !== undefined, {
    message: 'spreads the members of a gang: give gang as well',
    path: ['spread'],
  })
  .refine((spec) => spec.image !== undefined || spec.command.length > 0, {
    message: 'a workload without an image needs a command',
    path: ['command'],
  })
  .refine((spec) => spec.command[0] !== '', {
    message: 'the program must not be empty',
    path: ['command', 0],
  })
  .refine((spec) => jsonBytes([spec.command, spec.env]) <= MAX_COMMAND_BYTES, {
    message: `command and environment together must stay below ${MAX_COMMAND_BYTES} bytes`,
    path: ['command'],
  })
  .refine((spec) => jsonBytes(spec) <= MAX_SPEC_BYTES, {
    message: `a specification must stay below ${MAX_SPEC_BYTES} bytes`,
  })
  .describe(`What to run. At most ${MAX_SPEC_BYTES} bytes of JSON.`);

export type WorkloadSpec = z.output<typeof workloadSpecSchema>;
export type WorkloadSpecInput = z.input<typeof workloadSpecSchema>;

/** Of the value's JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}
