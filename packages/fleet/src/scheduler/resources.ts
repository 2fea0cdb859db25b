import { canonicalJson } from '@clawbernetes/kernel';
import {
  DEFAULT_RESERVATION,
  type Affinity,
  type Toleration,
  type WorkloadSpec,
} from '@clawbernetes/protocol';
import { gangKey, gangShapeOf, type GangDemand, type GangPart, type GangSpread } from './gang/gang-demand.ts';
import { NODE_NAME_LABEL } from './snapshot.ts';
import type { GpuLevel } from './topology/gpu-level.ts';

/**
 * What placing a workload depends on, and nothing else: workloads of one shape fit, or fail to fit, alike.
 */
export interface Shape {
  /** Of one node; 1 for a share. */
  readonly gpus: number;
  /** Thousandths of the one GPU, 1 to 999; absent = whole GPUs. */
  readonly gpuMilli?: number;
  /** Each GPU is a MIG instance of this profile; absent = none is one. */
  readonly migProfile?: string;
  /** Of more than one GPU whether they must, or should, reach each other over NVLink. */
  readonly nvlink?: 'required' | 'preferred';
  readonly gpuModels: readonly string[];
  readonly minGpuMemoryMib: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly executor: 'process' | 'container';
  readonly sandboxRequired: boolean;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly nodeId?: string;
  /** Absent = none. */
  readonly tolerations?: readonly Toleration[];
  readonly affinity?: Affinity;
  /** Of one member of a gang: with the GPUs of all others of the node on one such part of it. */
  readonly within?: GpuLevel;
  /** So many of this run together; absent = one by itself. */
  readonly gang?: GangShape;
}

/** What the members of a gang ask for together. */
export interface GangShape extends GangDemand {
  readonly spread?: GangSpread;
  /** All on one such part of a node; the topology says `node` then. */
  readonly within?: GangPart;
}

export function shapeOf(spec: WorkloadSpec, nodeId: string | undefined): Shape {
  const { resources } = spec;
  const { gpuMilli, migProfile, nvlink } = resources;
  const gpus = gpuMilli === undefined ? resources.gpus : 1;
  return {
    gpus,
    ...(gpuMilli === undefined ? {} : { gpuMilli }),
    ...(migProfile === undefined ? {} : { migProfile }),
    ...(nvlink === undefined || gpus < 2 ? {} : { nvlink }),
    gpuModels: resources.gpuModels.map((model) => model.toLowerCase()).toSorted(),
    minGpuMemoryMib: resources.minGpuMemoryMib,
    cpuMilli: resources.cpuMilli ?? DEFAULT_RESERVATION.cpuMilli,
    memoryMib: resources.memoryMib ?? DEFAULT_RESERVATION.memoryMib,
    executor: spec.image === undefined ? 'process' : 'container',
    sandboxRequired: spec.image === undefined && spec.sandbox === 'required',
    nodeSelector: spec.nodeSelector,
    ...(nodeId === undefined ? {} : { nodeId }),
    ...(spec.tolerations?.length ? { tolerations: spec.tolerations } : {}),
    ...(spec.affinity ? { affinity: spec.affinity } : {}),
    ...(spec.gang ? { gang: gangShapeOf(spec.gang, spec.spread) } : {}),
  };
}

/** Equal for equal shapes. Most ask for amounts only, which is said without canonical JSON, the slow part. */
export function shapeKey(shape: Shape): string {
  const { gpus, gpuMilli, minGpuMemoryMib, cpuMilli, memoryMib, executor, sandboxRequired, gang, ...where } =
    shape;
  const share = gpuMilli === undefined ? '' : `/${gpuMilli}`;
  const amounts = `${gpus}${share} ${minGpuMemoryMib} ${cpuMilli} ${memoryMib} ${executor} ${sandboxRequired}`;
  const together = gang ? ` ${gangKey(gang)}` : '';
  return goesAnywhere(shape) ? `${amounts}${together}` : `${amounts} ${canonicalJson(where)}${together}`;
}

function goesAnywhere(shape: Shape): boolean {
  const { gpuModels, migProfile, nvlink, nodeSelector, nodeId, tolerations, affinity, within } = shape;
  if (gpuModels.length > 0 || nodeId !== undefined || tolerations || affinity || within) return false;
  return migProfile === undefined && nvlink === undefined && Object.keys(nodeSelector).length === 0;
}

/** Whether nodes that are alike but for their names may differ to it. */
export function namesNodes({ nodeId, nodeSelector, affinity }: Shape): boolean {
  if (nodeId !== undefined || Object.hasOwn(nodeSelector, NODE_NAME_LABEL)) return true;
  const terms = affinity ? [...affinity.required, ...affinity.preferred] : [];
  return terms.some(({ label }) => label === NODE_NAME_LABEL);
}
