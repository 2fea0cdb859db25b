import { pciAddress } from './pci-address.ts';

export interface XidEvent {
  readonly xid: number;
  readonly pciAddress: string;
  /** Text after the number, at most 200 characters. */
  readonly message: string;
  /** Seconds since boot, where the line says it. */
  readonly bootSeconds?: number | undefined;
}

/** Newest events kept: a broken GPU can print thousands. */
const MAX_EVENTS = 1_000;
const XID = /NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]{7,16})(?: GPU-I:\d+)?\): (\d{1,4})(?:, )?(.{0,200})/;
const BOOT_SECONDS = /\[\s*(\d{1,9}\.\d{6})\]/;

/**
 * Xid lines of the kernel log, oldest first, in any of its dresses: `dmesg`, `dmesg -T`, syslog, journal. A
 * GPU that the driver finds off the bus without an Xid counts as Xid 79.
 */
export function parseXidEvents(text: string): readonly XidEvent[] {
  const events: XidEvent[] = [];
  const lines = text.split('\n');
  for (const [number, line] of lines.entries()) {
    const event = xidEvent(line) ?? fallenOffTheBus(lines, number);
    if (event) events.push(event);
  }
  return events.slice(-MAX_EVENTS);
}

function xidEvent(line: string): XidEvent | undefined {
  const [, where = '', xid, message = ''] = XID.exec(line) ?? [];
  const address = pciAddress(where);
  if (xid === undefined || address === undefined) return undefined;
  return { xid: Number(xid), pciAddress: address, message, bootSeconds: bootSeconds(line) };
}

/** Three lines that say it without a number (NVIDIA/NVSentinel issue 155). */
function fallenOffTheBus(lines: readonly string[], number: number): XidEvent | undefined {
  const line = lines[number] ?? '';
  const [, where = ''] = /NVRM: The NVIDIA GPU ([0-9a-fA-F:.]{7,16})/.exec(line) ?? [];
  const address = pciAddress(where);
  if (address === undefined) return undefined;
  const sentence = lines.slice(number, number + 3).join(' ');
  if (!sentence.includes('fallen off the bus')) return undefined;
  return {
    xid: 79,
    pciAddress: address,
    message: 'GPU has fallen off the bus',
    bootSeconds: bootSeconds(line),
  };
}

function bootSeconds(line: string): number | undefined {
  const seconds = BOOT_SECONDS.exec(line)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
