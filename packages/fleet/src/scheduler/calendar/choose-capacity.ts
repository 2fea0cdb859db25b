import { WHOLE_GPU } from '../cluster/demand.ts';
import { chooseGpus, suits, withFree } from '../gpu-fit.ts';
import type { Shape } from '../resources.ts';
import type { SnapshotGpu, SnapshotNode } from '../snapshot.ts';
import type { HeldCapacity } from './calendar-reservation.ts';

/** A node of which GPUs may be reserved. */
export interface ReservableNode {
  readonly view: SnapshotNode;
  /** What reservations of the same time hold there. */
  readonly taken: readonly HeldCapacity[];
  /** When the GPU is free of what may not stay; wall clock, Infinity if nobody knows. */
  readonly freeAtMs: (device: string) => number;
}

export interface GpuRequest {
  readonly gpus: number;
  /** Lower-case parts of names; none = any. */
  readonly gpuModels: readonly string[];
  readonly startMs: number;
}

export type CapacityChoice =
  | { readonly kind: 'chosen'; readonly held: readonly HeldCapacity[] }
  /** GPUs that match in all, and those of them that other reservations leave. */
  | { readonly kind: 'refused'; readonly matching: number; readonly left: number };

interface Offer {
  readonly node: ReservableNode;
  readonly gpus: readonly SnapshotGpu[];
}

/**
 * GPUs for a reservation: such that are free by its start if there are enough, on the fewest nodes; else
 * those as well that are free soonest after it. Refused only if other reservations leave too few.
 */
export function chooseCapacity(nodes: readonly ReservableNode[], request: GpuRequest): CapacityChoice {
  const matching = nodes.map((node) => ({ node, gpus: matchingGpus(node, request) }));
  const left = matching.map(({ node, gpus }) => ({
    node,
    gpus: gpus.filter(({ id }) => !isTaken(node, id)),
  }));
  if (sum(left) < request.gpus) return { kind: 'refused', matching: sum(matching), left: sum(left) };
  const inTime = left.map(({ node, gpus }) => ({
    node,
    gpus: gpus.filter(({ id }) => node.freeAtMs(id) <= request.startMs),
  }));
  const offers = sum(inTime) >= request.gpus ? inTime : soonestFree(left, request.gpus);
  return { kind: 'chosen', held: onFewestNodes(offers, request.gpus) };
}

/** All of a node, at any time. */
export function wholeNode({ id, capacity }: SnapshotNode): HeldCapacity {
  return { nodeId: id, ...capacity };
}

function sum(offers: readonly Offer[]): number {
  return offers.reduce((count, { gpus }) => count + gpus.length, 0);
}

/** MIG instances are not reserved one by one. */
function matchingGpus({ view }: ReservableNode, { gpuModels }: GpuRequest): readonly SnapshotGpu[] {
  return view.gpus.filter((gpu) => suits(gpu, { ...GPUS, gpuModels }));
}

function isTaken({ taken }: ReservableNode, id: string): boolean {
  return taken.some(({ devices }) => devices === undefined || devices.includes(id));
}

function soonestFree(left: readonly Offer[], gpus: number): readonly Offer[] {
  const soonest = left
    .flatMap((offer) => offer.gpus.map((gpu) => ({ gpu, offer, atMs: offer.node.freeAtMs(gpu.id) })))
    .toSorted((one, other) => (one.atMs === other.atMs ? 0 : one.atMs - other.atMs))
    .slice(0, gpus);
  const chosen = new Set(soonest.map(({ gpu }) => gpu));
  return left.map((offer) => ({ ...offer, gpus: offer.gpus.filter((gpu) => chosen.has(gpu)) }));
}

/** The nodes that offer most as a whole, and for the rest the one that offers least beyond it. */
function onFewestNodes(offers: readonly Offer[], gpus: number): readonly HeldCapacity[] {
  const most = offers.toSorted((one, other) => other.gpus.length - one.gpus.length);
  const held: HeldCapacity[] = [];
  let left = gpus;
  for (const [at, offer] of most.entries()) {
    if (left === 0) break;
    if (offer.gpus.length <= left) {
      held.push(partOf(offer, offer.gpus.length));
      left -= offer.gpus.length;
      continue;
    }
    const tightest = most.slice(at).findLast((one) => one.gpus.length >= left) ?? offer;
    held.push(partOf(tightest, left));
    left = 0;
  }
  return held;
}

/** Those GPUs that reach each other best, with their part of CPU and memory. */
function partOf({ node: { view }, gpus }: Offer, count: number): HeldCapacity {
  const offered = new Set(gpus.map(({ id }) => id));
  const free = view.gpus.map((gpu) => withFree(gpu, offered.has(gpu.id) ? WHOLE_GPU : 0));
  const chosen = chooseGpus({ ...view, gpus: free }, { ...GPUS, gpus: count });
  const whole = view.gpus.filter(({ migProfile }) => migProfile === undefined);
  const part = count / Math.max(1, whole.length);
  return {
    nodeId: view.id,
    devices: chosen ?? [...offered].slice(0, count),
    cpuMilli: Math.floor(view.capacity.cpuMilli * part),
    memoryMib: Math.floor(view.capacity.memoryMib * part),
  };
}

/** Of any kind; nothing else is asked of a node. */
const GPUS: Shape = {
  gpus: 1,
  gpuModels: [],
  minGpuMemoryMib: 0,
  cpuMilli: 0,
  memoryMib: 0,
  executor: 'process',
  sandboxRequired: false,
  nodeSelector: {},
};
