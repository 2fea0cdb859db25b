import { readFileSync } from 'node:fs';
import { seededRandom } from '@clawbernetes/kernel';
import type { Shape, SnapshotNode } from '@clawbernetes/fleet';
import { checkDemand, gpuShare, WHOLE_GPU, type Demand } from '@clawbernetes/fleet/scheduler';

/** The nodes of the trace, empty, in the order of their names. */
export interface TraceFleet {
  readonly nodes: readonly SnapshotNode[];
  /** Thousandths of GPUs in all. */
  readonly gpuMilli: number;
}

/** What pods ask for, in the words of a plan and as amounts. */
export interface PodKind {
  readonly key: string;
  readonly shape: Shape;
  readonly demand: Demand;
  /** Models of GPUs that it may run on; empty = any. */
  readonly models: ReadonlySet<string>;
}

/** Columns by name, as text. */
type Row = ReadonlyMap<string, string>;

/** Rows of a CSV file without quotes. @throws Error for a file that is none, or lacks a column. */
function rowsOf(file: string, columns: readonly string[]): readonly Row[] {
  const [header = '', ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  const names = header.split(',').map((name) => name.trim());
  const missing = columns.find((column) => !names.includes(column));
  if (missing !== undefined) throw new Error(`${file} has no column ${missing}; it has ${names.join(', ')}.`);
  return lines.map((line) => {
    const cells = line.split(',');
    return new Map(names.map((name, index) => [name, cells[index]?.trim() ?? '']));
  });
}

function count(row: Row, column: string): number {
  const value = Number(row.get(column));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${row.get('name') ?? row.get('sn')}: ${column} is ${row.get(column)}, which is no count.`);
}

export function readFleet(file: string): TraceFleet {
  const rows = rowsOf(file, ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model']);
  // In the order of their names, by which the baselines decide between equals.
  const byName = rows.toSorted((left, right) => ((left.get('sn') ?? '') < (right.get('sn') ?? '') ? -1 : 1));
  const nodes = byName.map(traceNode);
  const gpuMilli = nodes.reduce((sum, { gpus }) => sum + gpus.length * WHOLE_GPU, 0);
  return { nodes, gpuMilli };
}

function traceNode(row: Row): SnapshotNode {
  const [name, model] = [row.get('sn') ?? '', row.get('model') ?? ''];
  const room = { cpuMilli: count(row, 'cpu_milli'), memoryMib: count(row, 'memory_mib') };
  const empty: SnapshotNode = {
    ...{ id: name, name, schedulable: true, labels: { node: name }, sandboxed: false },
    capacity: room,
    free: room,
    gpus: Array.from({ length: count(row, 'gpu') }, (_, place) => {
      return { id: `${name} ${place}`, model, memoryMib: 0, freeMilli: WHOLE_GPU, usable: true };
    }),
    executors: new Set(['process']),
  };
  return { ...empty, empty };
}

/** What each pod of a list asks for; pods that ask for the same are one kind. */
export function readPods(file: string): readonly PodKind[] {
  const kinds = new Map<string, PodKind>();
  return rowsOf(file, ['cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli']).map((row) => {
    const gpus = count(row, 'num_gpu');
    const gpuMilli = gpus === 0 ? 0 : gpus > 1 ? WHOLE_GPU : count(row, 'gpu_milli');
    const [cpuMilli, memoryMib] = [count(row, 'cpu_milli'), count(row, 'memory_mib')];
    const demand = checkDemand({ cpuMilli, memoryMib, gpus, gpuMilli });
    const spec = row.get('gpu_spec') ?? '';
    const key = `${Object.values(demand).join(' ')} ${spec}`;
    const kind = kinds.get(key) ?? podKind(key, demand, spec === '' ? [] : spec.split('|'));
    kinds.set(key, kind);
    return kind;
  });
}

function podKind(key: string, demand: Demand, models: readonly string[]): PodKind {
  const { cpuMilli, memoryMib, gpus, gpuMilli } = demand;
  const isShare = gpus > 0 && gpuMilli < WHOLE_GPU;
  const shape: Shape = {
    ...{ gpus, cpuMilli, memoryMib, minGpuMemoryMib: 0, executor: 'process', sandboxRequired: false },
    ...(isShare ? { gpuMilli } : {}),
    gpuModels: models.map((model) => model.toLowerCase()),
    nodeSelector: {},
  };
  return { key, shape, demand, models: new Set(models) };
}

/**
 * The pods of one run: the list in a random order, and after it random ones of it anew until they ask for so
 * much of all GPUs; or without its last ones where it asks for more.
 * @param load of all GPUs of the fleet, 1.3 for 130 %.
 */
export function arrivalsOf(
  pods: readonly PodKind[],
  fleet: TraceFleet,
  load: number,
  seed: number,
): readonly PodKind[] {
  const random = seededRandom(seed);
  const arrivals = [...pods];
  for (let last = arrivals.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random.fraction() * (last + 1));
    const [left, right] = [arrivals[last], arrivals[other]];
    if (left && right) [arrivals[last], arrivals[other]] = [right, left];
  }
  const wanted = load * fleet.gpuMilli;
  let asked = arrivals.reduce((sum, { demand }) => sum + gpuShare(demand), 0);
  while (asked < wanted) {
    const pod = pods[Math.floor(random.fraction() * pods.length)];
    if (!pod) throw new Error('A list without pods asks for nothing.');
    arrivals.push(pod);
    asked += gpuShare(pod.demand);
  }
  while (asked > wanted) asked -= gpuShare(arrivals.pop()?.demand ?? NO_DEMAND);
  return arrivals;
}

const NO_DEMAND = { cpuMilli: 0, memoryMib: 0, gpus: 0, gpuMilli: 0 };
