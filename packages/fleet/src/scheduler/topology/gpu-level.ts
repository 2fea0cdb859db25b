import type { TopologyLevel } from './topology-tree.ts';

/** Levels below a node, from coarse to fine: GPUs that NVLink or XGMI joins, and GPUs of one NUMA node. */
export const GPU_LEVELS = ['nvlink-island', 'numa'] as const;
export type GpuLevel = (typeof GPU_LEVELS)[number];

/** A level on which a gang may stand together. */
export type PlaceLevel = TopologyLevel | GpuLevel;

export function gpuLevel(name: string | undefined): GpuLevel | undefined {
  return GPU_LEVELS.find((level) => level === name);
}

const NAMES: Readonly<Record<GpuLevel, string>> = { 'nvlink-island': 'NVLink island', numa: 'NUMA node' };

/** Of one such place, for people; other levels go by their own names. */
export function levelText(level: string): string {
  const known = gpuLevel(level);
  return known === undefined ? level : NAMES[known];
}
