import { finiteNumber } from './json-output.ts';
import { pciAddress } from './pci-address.ts';

/**
 * What is asked of `nvidia-smi --query-gpu`. Drivers refuse a query with a field that they do not know, so
 * the caller drops what `unknownQueryField` names and asks again; the ones before `mig.mode.current` are
 * known to all.
 */
export const NVIDIA_GPU_FIELDS = [
  'index',
  'uuid',
  'name',
  'pci.bus_id',
  'memory.total',
  'driver_version',
  'power.limit',
  'mig.mode.current',
  'ecc.errors.uncorrected.volatile.total',
  'retired_pages.pending',
  'remapped_rows.pending',
  'remapped_rows.failure',
  'compute_cap',
  'gpu_recovery_action',
] as const;

export interface NvidiaGpu {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly pciAddress?: string | undefined;
  readonly memoryMib: number;
  readonly driverVersion?: string | undefined;
  readonly powerLimitW?: number | undefined;
  readonly computeCapability?: string | undefined;
  readonly migEnabled?: boolean | undefined;
  /** Since the driver was loaded. */
  readonly eccUncorrected?: number | undefined;
  readonly retiredPagesPending?: boolean | undefined;
  readonly rowRemapPending?: boolean | undefined;
  readonly rowRemapFailed?: boolean | undefined;
  /** What the driver itself asks for: `None`, `Reset`, `Reboot`, `Drain P2P`, `Drain and Reset`. */
  readonly recoveryAction?: string | undefined;
  /** Words found in place of a value that tell of a broken GPU, such as `GPU requires reset`. */
  readonly fault?: string | undefined;
}

/** Most rows taken; the inventory holds no more. */
const MAX_ROWS = 256;

export function nvidiaQueryArgs(fields: readonly string[]): readonly string[] {
  return [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
}

/**
 * GPUs from `nvidia-smi --query-gpu=<fields> --format=csv,noheader,nounits`. Lines that are not such a row
 * (warnings, errors) are skipped.
 */
export function parseNvidiaGpus(text: string, fields: readonly string[]): readonly NvidiaGpu[] {
  return parseNvidiaRows(text, fields)
    .map(toGpu)
    .filter((gpu) => gpu !== undefined);
}

/** Rows as field → cell; cells that say "unknown" in one of nvidia-smi's ways are left out. */
export function parseNvidiaRows(
  text: string,
  fields: readonly string[],
): readonly ReadonlyMap<string, string>[] {
  const rows: Map<string, string>[] = [];
  for (const line of text.split('\n')) {
    const cells = line.split(',').map((cell) => cell.trim());
    if (cells.length !== fields.length || rows.length >= MAX_ROWS) continue;
    const row = new Map<string, string>();
    for (const [column, field] of fields.entries()) {
      const cell = cells[column] ?? '';
      if (isKnown(cell)) row.set(field, cell);
      else if (isFault(cell)) row.set('fault', cell.slice(1, -1));
    }
    rows.push(row);
  }
  return rows;
}

/** The field that this driver does not know, if that is why it refused the query. */
export function unknownQueryField(text: string): string | undefined {
  return /Field "([\w.]{1,80})" is not a valid field to query/.exec(text)?.[1];
}

/** `[N/A]`, `[Not Supported]`, `[Requested functionality has been deprecated]`, `N/A`, empty. */
function isKnown(cell: string): boolean {
  return cell !== '' && cell !== 'N/A' && !cell.startsWith('[');
}

function isFault(cell: string): boolean {
  return /^\[(GPU is lost|GPU requires reset|Unknown Error)\]$/.test(cell);
}

function toGpu(row: ReadonlyMap<string, string>): NvidiaGpu | undefined {
  const index = numberOf(row, 'index');
  const uuid = row.get('uuid');
  if (index === undefined || index < 0 || !Number.isInteger(index) || !uuid?.startsWith('GPU-'))
    return undefined;
  return {
    index,
    uuid,
    name: row.get('name') ?? 'NVIDIA GPU',
    pciAddress: pciAddress(row.get('pci.bus_id') ?? ''),
    memoryMib: Math.max(0, Math.trunc(numberOf(row, 'memory.total') ?? 0)),
    driverVersion: row.get('driver_version'),
    powerLimitW: numberOf(row, 'power.limit'),
    computeCapability: row.get('compute_cap'),
    migEnabled: flagOf(row, 'mig.mode.current', 'Enabled'),
    eccUncorrected: numberOf(row, 'ecc.errors.uncorrected.volatile.total'),
    retiredPagesPending: flagOf(row, 'retired_pages.pending', 'Yes'),
    rowRemapPending: flagOf(row, 'remapped_rows.pending', 'Yes'),
    rowRemapFailed: flagOf(row, 'remapped_rows.failure', 'Yes'),
    recoveryAction: row.get('gpu_recovery_action'),
    fault: row.get('fault'),
  };
}

function numberOf(row: ReadonlyMap<string, string>, field: string): number | undefined {
  const cell = row.get(field);
  return cell === undefined ? undefined : finiteNumber(cell);
}

function flagOf(row: ReadonlyMap<string, string>, field: string, yes: string): boolean | undefined {
  const cell = row.get(field);
  return cell === undefined ? undefined : cell === yes;
}
