import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pciAddress } from './pci-address.ts';

/** A display controller or compute accelerator as the kernel sees it, with or without a driver. */
export interface PciCard {
  readonly address: string;
  /** `0x10de` NVIDIA, `0x1002` AMD, `0x8086` Intel. */
  readonly vendorId: string;
  readonly numaNode?: number | undefined;
}

export const PCI_VENDORS = { nvidia: '0x10de', amd: '0x1002', intel: '0x8086' } as const;

/** Most functions looked at; large hosts have a few hundred. */
const MAX_FUNCTIONS = 4_096;

/**
 * Cards of PCI classes 0x03 (display) and 0x12 (processing accelerator). Empty where there is no sysfs: what
 * counts is that a card without a driver can be told from no card.
 */
export async function readPciCards(root: string): Promise<readonly PciCard[]> {
  const folder = join(root, 'sys/bus/pci/devices');
  const names = await readdir(folder).catch(() => []);
  const cards = await Promise.all(names.slice(0, MAX_FUNCTIONS).map((name) => readCard(folder, name)));
  return cards.filter((card) => card !== undefined);
}

async function readCard(folder: string, name: string): Promise<PciCard | undefined> {
  const read = async (file: string): Promise<string> => {
    const text = await readFile(join(folder, name, file), 'utf8').catch(() => '');
    return text.trim();
  };
  const address = pciAddress(name);
  if (address === undefined || !/^0x(03|12)/.test(await read('class'))) return undefined;
  const [vendorId, node] = await Promise.all([read('vendor'), read('numa_node')]);
  // The kernel writes -1 where there is only one node or the firmware does not say.
  return { address, vendorId, numaNode: /^\d+$/.test(node) ? Number(node) : undefined };
}
