import type { Shape } from './resources.ts';
import type { SnapshotGpu, SnapshotNode } from './snapshot.ts';
import type { GpuLevel } from './topology/gpu-level.ts';
import type { NodeClass } from './topology/node-class.ts';

/** GPUs of a node that belong together on a level below it. */
interface GpuGroup {
  /** For people; one of a node only. */
  readonly name: string;
  /** Places in the list of the node's GPUs. */
  readonly places: ReadonlySet<number>;
}

/** A node as if it had no other GPUs than those of one group; the places of GPUs stay what they are. */
export interface NodePart {
  readonly name: string;
  readonly node: SnapshotNode;
}

/** Stands where a GPU of another group is. */
const ABSENT: SnapshotGpu = { id: '', model: '', memoryMib: 0, freeMilli: 0, usable: false };

/** By the empty node: what belongs together does not change with what is free. */
const GROUPS = new WeakMap<SnapshotNode, Map<GpuLevel, readonly GpuGroup[]>>();
/** The same for all nodes of a class that number their NUMA nodes alike. */
const SHARED = new WeakMap<NodeClass, Map<string, readonly GpuGroup[]>>();

/** The parts of a node on a level below it. Each GPU is in one of them, CPU and memory are in all. */
export function* partsOf(node: SnapshotNode, level: GpuLevel): Generator<NodePart, void, undefined> {
  for (const { name, places } of groupsOf(node, level)) yield { name, node: partOf(node, places) };
}

/** The part that has all of these GPUs; undefined if none has. */
export function partWith(
  node: SnapshotNode,
  level: GpuLevel,
  devices: ReadonlySet<string>,
): NodePart | undefined {
  return partsOf(node, level).find(
    (part) => part.node.gpus.filter(({ id }) => devices.has(id)).length === devices.size,
  );
}

/** Equal for nodes of the same GPUs where the same are free on the same parts. */
export function partsKey(node: SnapshotNode, level: GpuLevel): string {
  let key = '';
  for (const { places } of groupsOf(node, level)) {
    key += '/';
    for (const at of places) {
      const { freeMilli, usable } = node.gpus[at] ?? ABSENT;
      key += usable ? `${at}:${freeMilli} ` : `${at} `;
    }
  }
  return key;
}

const ALONE = new WeakMap<Shape, Shape>();

/** The shape without the level below a node, for whoever looks at one part. The same object for the same. */
export function inOnePart(shape: Shape): Shape {
  const known = ALONE.get(shape);
  if (known) return known;
  const { within: _, ...alone } = shape;
  ALONE.set(shape, alone);
  return alone;
}

function partOf(node: SnapshotNode, places: ReadonlySet<number>): SnapshotNode {
  if (places.size === node.gpus.length) return node;
  return { ...node, gpus: node.gpus.map((gpu, at) => (places.has(at) ? gpu : ABSENT)) };
}

function groupsOf(node: SnapshotNode, level: GpuLevel): readonly GpuGroup[] {
  const { empty = node } = node;
  const byLevel = GROUPS.get(empty) ?? new Map<GpuLevel, readonly GpuGroup[]>();
  GROUPS.set(empty, byLevel);
  const groups = byLevel.get(level) ?? sharedGroups(empty, level);
  byLevel.set(level, groups);
  return groups;
}

function sharedGroups(empty: SnapshotNode, level: GpuLevel): readonly GpuGroup[] {
  const { gpus, gpuClass } = empty;
  const find = level === 'numa' ? numaNodes : islands;
  if (!gpuClass) return find(empty);
  const shared = SHARED.get(gpuClass) ?? new Map<string, readonly GpuGroup[]>();
  SHARED.set(gpuClass, shared);
  const key = `${level} ${gpus.map(({ numaNode = '?' }) => numaNode).join()}`;
  const groups = shared.get(key) ?? find(empty);
  shared.set(key, groups);
  return groups;
}

/** A GPU that does not say its NUMA node is on one by itself: it promises no nearness. */
function numaNodes({ gpus }: SnapshotNode): readonly GpuGroup[] {
  const groups = Map.groupBy(gpus.keys(), (at) => gpus[at]?.numaNode ?? `unknown ${at}`);
  return Array.from(groups, ([numa, places]) => ({
    name: typeof numa === 'number' ? `NUMA node ${numa}` : `GPU ${places.join()}, whose NUMA node is unknown`,
    places: new Set(places),
  }));
}

/** A GPU that NVLink joins to no other is one by itself; where links are not known each is. */
function islands({ gpus, gpuClass }: SnapshotNode): readonly GpuGroup[] {
  const groups = Map.groupBy(gpus.keys(), (at) => gpuClass?.islands[at] ?? at);
  return Array.from(groups.values(), (places) => ({
    name: `${places.length === 1 ? 'GPU' : 'GPUs'} ${places.join(', ')}`,
    places: new Set(places),
  }));
}
