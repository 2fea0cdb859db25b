// Shows that Xid errors are found in every dress of the kernel log, and what each calls for.
import { describe, expect, it } from 'vitest';
import { classifyXid } from '../../src/hardware/xid.ts';
import { parseXidEvents } from '../../src/hardware/xid-events.ts';
import { fixture } from './fixtures.ts';

describe('parseXidEvents', () => {
  const events = parseXidEvents(fixture('nvidia/xid-lines.txt'));

  it('finds every Xid line and no other', () => {
    expect(events.map((event) => event.xid)).toEqual([
      13, 13, 13, 109, 63, 48, 45, 149, 145, 94, 119, 32, 14,
    ]);
  });

  it('reads the address whatever surrounds it', () => {
    const address = (xid: number): string | undefined =>
      events.find((event) => event.xid === xid)?.pciAddress;
    expect(address(13)).toBe('0000:cb:00.0');
    expect(address(63)).toBe('0000:10:1c.0');
    expect(address(94)).toBe('0000:01:00.0');
    expect(address(149)).toBe('0019:01:00.0');
    expect(address(14)).toBe('0000:03:00.0');
  });

  it('knows when, if the line says it in seconds since boot', () => {
    const seconds = (xid: number): number | undefined =>
      events.find((event) => event.xid === xid)?.bootSeconds;
    expect(seconds(119)).toBe(3947.59012);
    expect(seconds(48)).toBe(240_314.528856);
    expect(seconds(109)).toBeUndefined();
  });

  it('takes a GPU that fell off the bus without a number for Xid 79', () => {
    expect(parseXidEvents(fixture('nvidia/fallen-off-the-bus.txt'))).toEqual([
      {
        xid: 79,
        pciAddress: '0000:b3:00.0',
        message: 'GPU has fallen off the bus',
        bootSeconds: 1843.308145,
      },
    ]);
  });

  it('keeps the newest of a flood', () => {
    const flood = Array.from(
      { length: 5_000 },
      (_, i) => `[${i}.000000] NVRM: Xid (PCI:0000:01:00): 31, Ch ${i}`,
    );
    const kept = parseXidEvents(flood.join('\n'));
    expect(kept).toHaveLength(1_000);
    expect(kept.at(-1)?.bootSeconds).toBe(4_999);
  });
});

describe('classifyXid', () => {
  it.each([
    [13, 'restart-app'],
    [31, 'restart-app'],
    [43, 'ignore'],
    [45, 'ignore'],
    [48, 'reset-gpu'],
    [61, 'reset-gpu'],
    [62, 'reset-gpu'],
    [63, 'ignore'],
    [64, 'reset-gpu'],
    [74, 'reset-gpu'],
    [79, 'drain-reboot'],
    [92, 'ignore'],
    [94, 'restart-app'],
    [95, 'reset-gpu'],
    [109, 'reset-gpu'],
    [119, 'reset-gpu'],
    [120, 'reset-gpu'],
    [157, 'replace'],
    [9_999, 'ignore'],
  ] as const)('Xid %i calls for %s', (xid, action) => {
    expect(classifyXid(xid, '').action).toBe(action);
  });

  it('believes NVLink 5 errors about themselves', () => {
    expect(classifyXid(149, 'NETIR Fatal XC0 i0 Link -1').action).toBe('reset-gpu');
    expect(classifyXid(145, 'RLW_RXPIPE Nonfatal XC0 i0 Link 13').action).toBe('ignore');
  });

  it('reads from Xid 154 what the driver wants now', () => {
    const changed = (to: string): string =>
      classifyXid(154, `GPU recovery action changed from 0x1 (GPU Reset Required) to ${to}`).action;
    expect(changed('0x0 (None)')).toBe('ignore');
    expect(changed('0x2 (Node Reboot Required)')).toBe('drain-reboot');
    expect(changed('0x1 (GPU Reset Required)')).toBe('reset-gpu');
  });
});
