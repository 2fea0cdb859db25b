import { readFile } from 'node:fs/promises';
import { errorMessage } from '@clawbernetes/kernel';
import type { GpuDevice, GpuFault } from '@clawbernetes/protocol';
import { z } from 'zod';
import type { SimulatedGpus } from './simulated-gpus.ts';
import { classifyXid } from './xid.ts';

/** By number of the GPU: what is wrong with it. */
const faultsSchema = z.record(
  z.string().regex(/^\d{1,3}$/, 'is not the number of a GPU'),
  z.union([
    z.literal('missing'),
    z.literal('ecc'),
    z.strictObject({ xid: z.int().min(1).max(9999), at: z.number().min(0).default(0) }),
  ]),
);
type SimulatedFault = z.output<typeof faultsSchema>[string];

/**
 * Simulated GPUs with the faults of a JSON file such as `{"3": {"xid": 79}, "5": "missing"}`, so that drills
 * and tests see what a broken GPU sets off. A file that is not there means no faults.
 * @throws Error that names the file and what is wrong in it.
 */
export async function withSimulatedFaults(simulated: SimulatedGpus, file: string): Promise<SimulatedGpus> {
  const faults = parseFaults(file, await readFaults(file));
  // A MIG instance has those of the GPU of which it is a part.
  const indexes = new Map(simulated.gpus.map(({ id, index }) => [id, index]));
  const faultOf = ({ index, parentId }: GpuDevice): SimulatedFault | undefined =>
    faults[parentId === undefined ? index : (indexes.get(parentId) ?? index)];
  const gpus = simulated.gpus
    .filter((gpu) => faultOf(gpu) !== 'missing')
    .map((gpu) => withFault(gpu, faultOf(gpu)));
  const ids = new Set(gpus.map(({ id }) => id));
  return {
    ...simulated,
    gpus,
    links: simulated.links.filter(({ from, to }) => ids.has(from) && ids.has(to)),
  };
}

async function readFaults(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}';
    throw new Error(`The simulated faults ${file} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}

function parseFaults(file: string, text: string): z.output<typeof faultsSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`The simulated faults ${file} are not JSON: ${errorMessage(error)}`, { cause: error });
  }
  const faults = faultsSchema.safeParse(json);
  if (faults.success) return faults.data;
  throw new Error(`The simulated faults ${file} are not valid: ${z.prettifyError(faults.error)}`);
}

function withFault(gpu: GpuDevice, fault: SimulatedFault | undefined): GpuDevice {
  if (fault === undefined || fault === 'missing') return gpu;
  const gpuFault = toGpuFault(fault);
  return { ...gpu, health: { state: 'unhealthy', reason: gpuFault.message }, faults: [gpuFault] };
}

function toGpuFault(fault: Exclude<SimulatedFault, 'missing'>): GpuFault {
  if (fault === 'ecc') {
    const message = 'Memory row remapping failed (simulated).';
    return { key: 'ecc-row-remap', kind: 'ecc', action: 'replace', message };
  }
  const { xid, at } = fault;
  const { meaning, action } = classifyXid(xid, '');
  return {
    ...{ key: `xid-${xid}@${at}`, kind: 'xid', code: xid, action },
    message: `Xid ${xid}: ${meaning} (simulated).`,
  };
}
