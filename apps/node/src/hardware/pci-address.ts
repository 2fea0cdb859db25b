const PCI_ADDRESS = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})(?:\.([0-7]))?$/i;

/**
 * `domain:bus:device.function` as Linux writes it (`0000:3b:00.0`), from any of the tools' ways:
 * `00000000:3B:00.0`, `0000:3B:00`, `3b:00.0`. Undefined if it is not an address.
 */
export function pciAddress(text: string): string | undefined {
  const [, domain = '0000', bus, device, fn = '0'] = PCI_ADDRESS.exec(text.trim()) ?? [];
  if (bus === undefined || device === undefined) return undefined;
  const shortDomain = domain.replace(/^0+(?=[0-9a-f]{4})/i, '');
  return `${shortDomain}:${bus}:${device}.${fn}`.toLowerCase();
}
