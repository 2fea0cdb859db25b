import { readFileSync } from 'node:fs';
import { seededRandom } from '@clawbernetes/kernel';
import {
  checkDemand,
  gpuShare,
  WHOLE_GPU,
  type ClusterNode,
  type PackedKind,
} from '@clawbernetes/fleet/scheduler';

/** A fleet of the trace, and the names of its GPU models, whose places are the profiles of the nodes. */
export interface TraceFleet {
  readonly nodes: readonly ClusterNode[];
  readonly models: readonly string[];
  /** Thousandths of GPUs in all. */
  readonly gpuMilli: number;
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
  const models = [...new Set(rows.map((row) => row.get('model') ?? ''))].toSorted();
  // Places in the list are names in their order, by which the baselines decide between equals.
  const byName = rows.toSorted((left, right) => ((left.get('sn') ?? '') < (right.get('sn') ?? '') ? -1 : 1));
  const nodes = byName.map((row) => ({
    profile: models.indexOf(row.get('model') ?? ''),
    cpuMilli: count(row, 'cpu_milli'),
    memoryMib: count(row, 'memory_mib'),
    gpus: Array.from({ length: count(row, 'gpu') }, () => WHOLE_GPU),
  }));
  const gpuMilli = nodes.reduce((sum, { gpus }) => sum + gpus.length * WHOLE_GPU, 0);
  return { nodes, models, gpuMilli };
}

/** What each pod of a list asks for; pods that ask for the same are one kind. */
export function readPods(file: string, { models }: TraceFleet): readonly PackedKind[] {
  const kinds = new Map<string, PackedKind>();
  return rowsOf(file, ['cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli']).map((row) => {
    const gpus = count(row, 'num_gpu');
    const gpuMilli = gpus === 0 ? 0 : gpus > 1 ? WHOLE_GPU : count(row, 'gpu_milli');
    const demand = checkDemand({
      cpuMilli: count(row, 'cpu_milli'),
      memoryMib: count(row, 'memory_mib'),
      gpus,
      gpuMilli,
    });
    const spec = row.get('gpu_spec') ?? '';
    const key = `${Object.values(demand).join(' ')} ${spec}`;
    const wanted = new Set(spec.split('|').map((model) => models.indexOf(model)));
    const kind = kinds.get(key) ?? { key, demand, suits: (profile) => spec === '' || wanted.has(profile) };
    kinds.set(key, kind);
    return kind;
  });
}

/**
 * The pods of one run: the list in a random order, and after it random ones of it anew until they ask for so
 * much of all GPUs; or without its last ones where it asks for more.
 * @param load of all GPUs of the fleet, 1.3 for 130 %.
 */
export function arrivalsOf(
  pods: readonly PackedKind[],
  fleet: TraceFleet,
  load: number,
  seed: number,
): readonly PackedKind[] {
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
