import { canonicalJson } from '@clawbernetes/kernel';
import {
  DEFAULT_RESERVATION,
  type Affinity,
  type Toleration,
  type WorkloadSpec,
} from '@clawbernetes/protocol';

/**
 * What placing a workload depends on, and nothing else: workloads of one shape fit, or fail to fit, alike.
 */
export interface Shape {
  readonly gpus: number;
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
}

export function shapeOf(spec: WorkloadSpec, nodeId: string | undefined): Shape {
  const { resources } = spec;
  return {
    gpus: resources.gpus,
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
  };
}

/** Equal for equal shapes. Most ask for amounts only, which is said without canonical JSON, the slow part. */
export function shapeKey(shape: Shape): string {
  const { gpus, minGpuMemoryMib, cpuMilli, memoryMib, executor, sandboxRequired, ...where } = shape;
  const amounts = `${gpus} ${minGpuMemoryMib} ${cpuMilli} ${memoryMib} ${executor} ${sandboxRequired}`;
  return goesAnywhere(shape) ? amounts : `${amounts} ${canonicalJson(where)}`;
}

function goesAnywhere({ gpuModels, nodeSelector, nodeId, tolerations, affinity }: Shape): boolean {
  if (gpuModels.length > 0 || nodeId !== undefined || tolerations || affinity) return false;
  return Object.keys(nodeSelector).length === 0;
}
