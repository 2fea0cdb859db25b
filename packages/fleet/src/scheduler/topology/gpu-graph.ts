import type { NodeInventory } from '@clawbernetes/protocol';

export type GpuLinkKind = NodeInventory['gpuLinks'][number]['link'];

export interface GpuLink {
  readonly link: GpuLinkKind;
  /** NVLinks bonded, for `NV`. */
  readonly width?: number | undefined;
}

/** How the GPUs of a node reach each other, in the form that scoring reads; a GPU is its bit in a mask. */
export interface GpuGraph {
  readonly size: number;
  /** `bandwidth[a * size + b]`: about GB/s per direction, symmetric. Order and rough ratios count. */
  readonly bandwidth: Int32Array;
  /** Bit b of `nvlink[a]`: a and b are joined by NVLink or XGMI, without PCIe between them. */
  readonly nvlink: Int32Array;
  /** By GPU: its NUMA node, numbered in order of appearance. */
  readonly numa: Int32Array;
}

/**
 * About GB/s per direction. NVLink: 25 a link since generation 3 (NVIDIA, A100 and H100 whitepapers); XGMI:
 * 50 (AMD, CDNA 2 whitepaper). PCIe: 4.0 × 16 under one switch, falling in the order of the legend of
 * `nvidia-smi topo -m`; those figures are an order, not measurements. One NVLink still beats any PCIe path.
 */
const BANDWIDTH: Readonly<Record<GpuLinkKind, number>> = {
  SELF: 0,
  NV: 25,
  XGMI: 50,
  PIX: 24,
  PXB: 20,
  PHB: 16,
  NODE: 12,
  SYS: 8,
  UNKNOWN: 4,
};

/** More NVLinks than any GPU has; bounds what a broken report can make of a sum. */
const MAX_WIDTH = 255;
/** GB/s per direction of the best link there can be. */
export const MAX_BANDWIDTH = BANDWIDTH.NV * MAX_WIDTH;

export function linkBandwidth({ link, width }: GpuLink): number {
  if (link !== 'NV') return BANDWIDTH[link];
  return BANDWIDTH.NV * Math.min(MAX_WIDTH, Math.max(1, width ?? 1));
}

/** `links[a][b]` is read once per pair (a < b): the matrix is symmetric. */
export function gpuGraph(
  links: readonly (readonly GpuLink[])[],
  numaNodes: readonly (number | undefined)[],
): GpuGraph {
  const size = numaNodes.length;
  const bandwidth = new Int32Array(size * size);
  const nvlink = new Int32Array(size);
  for (let a = 0; a < size; a++) {
    for (let b = a + 1; b < size; b++) {
      const link = links[a]?.[b] ?? { link: 'UNKNOWN' };
      bandwidth[a * size + b] = bandwidth[b * size + a] = linkBandwidth(link);
      if (link.link !== 'NV' && link.link !== 'XGMI') continue;
      nvlink[a] = (nvlink[a] ?? 0) | (1 << b);
      nvlink[b] = (nvlink[b] ?? 0) | (1 << a);
    }
  }
  return { size, bandwidth, nvlink, numa: Int32Array.from(numberByAppearance(numaNodes)) };
}

/** Equal for equal partitions: which GPUs share a NUMA node matters, its number does not. */
export function numberByAppearance(numaNodes: readonly (number | undefined)[]): readonly number[] {
  const numbers = new Map<number | undefined, number>();
  return numaNodes.map((node) => {
    const number = numbers.get(node) ?? numbers.size;
    numbers.set(node, number);
    return number;
  });
}
