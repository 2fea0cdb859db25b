import { stripVTControlCharacters } from 'node:util';
import type { NodeInventory } from '@clawbernetes/protocol';

export type GpuLinkKind = NodeInventory['gpuLinks'][number]['link'];

export interface TopologyLink {
  readonly link: GpuLinkKind;
  /** NVLinks bonded, for `NV`. */
  readonly width?: number | undefined;
}

export interface NvidiaTopology {
  /** `links[a][b]` between the GPUs with indexes a and b; symmetric, `SELF` on the diagonal. */
  readonly links: readonly (readonly TopologyLink[])[];
  /** By GPU index; undefined where the tool does not know it, or several nodes are equally near. */
  readonly numaNodes: readonly (number | undefined)[];
}

/** Worst last; what cannot be read ranks worst. */
const KINDS = [
  'SELF',
  'NV',
  'PIX',
  'PXB',
  'PHB',
  'NODE',
  'SYS',
  'UNKNOWN',
] as const satisfies readonly GpuLinkKind[];
/** More GPUs than any node has; bounds what garbage can make us allocate. */
const MAX_GPUS = 256;

/**
 * The matrix of `nvidia-smi topo -m`: GPU rows by GPU and NIC columns, then CPU affinity, NUMA affinity and
 * GPU NUMA id. Columns are separated by tabs when printed and by spaces when people paste them. Empty if
 * there is no matrix.
 */
export function parseNvidiaTopology(text: string): NvidiaTopology {
  // Some drivers underline the header with terminal codes even into a pipe.
  const lines = stripVTControlCharacters(text).split('\n');
  const header = lines.find((line) => /^\s*GPU0\s/.test(line) && !/\sX\s/.test(line)) ?? '';
  const columns = matrixColumns(header);
  const rows = new Map<number, readonly string[]>();
  for (const line of lines) {
    const [, index, rest] = /^\s*GPU(\d{1,3})\s+(.+)$/.exec(line) ?? [];
    if (index === undefined || rest === undefined || line === header) continue;
    rows.set(Number(index), rest.trim().split(/\s+/));
  }
  const count = Math.min(MAX_GPUS, columns.filter((column) => column.startsWith('GPU')).length);
  return {
    links: symmetric(count, (row, column) => rows.get(row)?.[columns.indexOf(`GPU${column}`)]),
    numaNodes: Array.from({ length: count }, (_, row) => numaNode(header, columns.length, rows.get(row))),
  };
}

/** `GPU0 GPU1 … NIC0 …`: the column names up to `CPU Affinity`. */
function matrixColumns(header: string): readonly string[] {
  const [names = ''] = header.split(/CPU Affinity|NUMA Affinity/);
  return names
    .trim()
    .split(/\s+/)
    .slice(0, 4 * MAX_GPUS);
}

function symmetric(
  count: number,
  cell: (row: number, column: number) => string | undefined,
): readonly (readonly TopologyLink[])[] {
  const link = (row: number, column: number): TopologyLink => {
    if (row === column) return { link: 'SELF' };
    const [there, back] = [toLink(cell(row, column)), toLink(cell(column, row))];
    if (!there || !back) return there ?? back ?? { link: 'UNKNOWN' };
    return worse(there, back);
  };
  return Array.from({ length: count }, (_row, row) =>
    Array.from({ length: count }, (_column, column) => link(row, column)),
  );
}

/** The tool prints the same both ways; should it not, nobody may be promised the better one. */
function worse(one: TopologyLink, other: TopologyLink): TopologyLink {
  const [a, b] = [
    KINDS.findIndex((kind) => kind === one.link),
    KINDS.findIndex((kind) => kind === other.link),
  ];
  if (a !== b) return a > b ? one : other;
  return (one.width ?? 0) <= (other.width ?? 0) ? one : other;
}

function toLink(cell: string | undefined): TopologyLink | undefined {
  if (cell === undefined || cell === 'X') return undefined;
  const width = /^NV(\d{1,3})$/.exec(cell)?.[1];
  if (width !== undefined) return { link: 'NV', width: Number(width) };
  return { link: KINDS.find((kind) => kind === cell && kind !== 'SELF') ?? 'UNKNOWN' };
}

function numaNode(
  header: string,
  matrixWidth: number,
  row: readonly string[] | undefined,
): number | undefined {
  if (!header.includes('NUMA Affinity')) return undefined;
  const [, node = ''] = row?.slice(matrixWidth) ?? [];
  return /^\d{1,4}$/.test(node) ? Number(node) : undefined;
}
