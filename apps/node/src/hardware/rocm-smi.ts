import { jsonMembers, jsonNumber, jsonText, parseJsonOutput } from './json-output.ts';
import { pciAddress } from './pci-address.ts';

/** A GPU as `rocm-smi --json` or `amd-smi --json` describes it, with whatever was asked for. */
export interface AmdGpu {
  readonly index: number;
  readonly model: string;
  readonly memoryMib: number;
  readonly pciAddress?: string | undefined;
  readonly driverVersion?: string | undefined;
  readonly numaNode?: number | undefined;
  readonly powerLimitW?: number | undefined;
}

export interface AmdGpuReading {
  readonly index: number;
  readonly utilizationPercent?: number | undefined;
  readonly memoryUsedMib?: number | undefined;
  readonly temperatureC?: number | undefined;
  readonly powerW?: number | undefined;
  readonly clockMhz?: number | undefined;
  readonly eccUncorrected?: number | undefined;
}

export const ROCM_INVENTORY_ARGS = [
  '--showproductname',
  '--showmeminfo',
  'vram',
  '--showbus',
  '--showmaxpower',
  '--showdriverversion',
  '--showtoponuma',
  '--showtopotype',
  '--json',
] as const;

export const ROCM_METRICS_ARGS = [
  '--showuse',
  '--showmeminfo',
  'vram',
  '--showtemp',
  '--showpower',
  '--showclocks',
  '--json',
] as const;

const MIB = 1024 * 1024;
const MAX_CARDS = 256;

/**
 * GPUs from `rocm-smi --json`. Member names changed over the releases (`Card series`, `Card Series`, `Device
 * Name`).
 */
export function parseRocmGpus(text: string): readonly AmdGpu[] {
  const document = parseJsonOutput(text);
  const driverVersion = jsonText(document, 'system', 'Driver version');
  return cards(document).map(([index, card]) => ({
    index,
    model: modelName(card),
    memoryMib: Math.trunc((jsonNumber(card, 'VRAM Total Memory (B)') ?? 0) / MIB),
    pciAddress: pciAddress(jsonText(card, 'PCI Bus') ?? ''),
    driverVersion,
    numaNode: naturalNumber(jsonNumber(card, '(Topology) Numa Node')),
    powerLimitW: jsonNumber(card, 'Max Graphics Package Power (W)'),
  }));
}

export function parseRocmReadings(text: string): readonly AmdGpuReading[] {
  return cards(parseJsonOutput(text)).map(([index, card]) => {
    const usedBytes = jsonNumber(card, 'VRAM Total Used Memory (B)');
    return {
      index,
      utilizationPercent: jsonNumber(card, 'GPU use (%)'),
      memoryUsedMib: usedBytes === undefined ? undefined : Math.trunc(usedBytes / MIB),
      temperatureC:
        jsonNumber(card, 'Temperature (Sensor junction) (C)') ??
        jsonNumber(card, 'Temperature (Sensor edge) (C)'),
      powerW:
        jsonNumber(card, 'Average Graphics Package Power (W)') ??
        jsonNumber(card, 'Current Socket Graphics Package Power (W)'),
      clockMhz: megahertz(jsonText(card, 'sclk clock speed:')),
    };
  });
}

export interface RocmLink {
  readonly from: number;
  readonly to: number;
  readonly kind: 'XGMI' | 'PCIE';
}

const LINK_MEMBER = /^\(Topology\) Link type between DRM devices (\d{1,3}) and (\d{1,3})$/;

/** Links between cards by index, each pair once; links of other kinds are left out. */
export function parseRocmLinks(text: string): readonly RocmLink[] {
  const document = parseJsonOutput(text);
  const system = jsonMembers(jsonMembers(document).find(([name]) => name === 'system')?.[1]);
  return system.flatMap(([name, value]): readonly RocmLink[] => {
    const [, from, to] = LINK_MEMBER.exec(name) ?? [];
    if (from === undefined || to === undefined || (value !== 'XGMI' && value !== 'PCIE')) return [];
    return [{ from: Number(from), to: Number(to), kind: value }];
  });
}

function cards(document: unknown): readonly (readonly [number, unknown])[] {
  return jsonMembers(document)
    .flatMap(([name, card]): readonly (readonly [number, unknown])[] => {
      const index = /^card(\d{1,3})$/.exec(name)?.[1];
      return index === undefined || typeof card !== 'object' ? [] : [[Number(index), card]];
    })
    .slice(0, MAX_CARDS);
}

function modelName(card: unknown): string {
  const names = ['Card Series', 'Card series', 'Device Name', 'Card Model', 'Card model'];
  // A bare PCI device id is no name for people.
  const name = names.map((member) => jsonText(card, member)).find((text) => text && !text.startsWith('0x'));
  return name ?? 'AMD GPU';
}

/** `(300Mhz)`. */
function megahertz(text: string | undefined): number | undefined {
  const amount = /^\(?(\d{1,6})\s*Mhz\)?$/i.exec(text ?? '')?.[1];
  return amount === undefined ? undefined : Number(amount);
}

function naturalNumber(value: number | undefined): number | undefined {
  return value !== undefined && Number.isInteger(value) && value >= 0 ? value : undefined;
}
