// Shows that durations are read strictly, and that durations and sizes are written for people.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatBytes, formatDuration, parseDurationMs } from '@clawbernetes/kernel';

it.each([
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5h', 5_400_000],
  ['5m', 300_000],
  ['7d', 604_800_000],
  [' 0s ', 0],
])('reads %s', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

it.each(['', '10', 's', '-5s', '1e3s', '10 s', '5min', '1h30m', '.5s', '٣s'])(
  'refuses "%s" and says how',
  (text) => {
    expect(() => parseDurationMs(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-duration',
        message: expect.stringContaining('250ms') as string,
      }),
    );
  },
);

it.each([
  [0, '0ms'],
  [849.6, '850ms'],
  [999.4, '999ms'],
  [999.6, '1.0s'],
  [12_340, '12.3s'],
  [59_949, '59.9s'],
  [59_990, '1m 00s'],
  [245_000, '4m 05s'],
  [11_520_000, '3h 12m'],
  [187_200_000, '2d 4h'],
])('writes %s ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it('never writes a unit that has filled up', () => {
  const nearUnit = fc
    .tuple(
      fc.constantFrom(1000, 60_000, 3_600_000, 86_400_000),
      fc.double({ min: -1000, max: 1000, noNaN: true }),
    )
    .map(([unit, off]) => Math.max(0, unit + off));
  fc.assert(
    fc.property(nearUnit, (ms) => {
      expect(formatDuration(ms)).not.toMatch(/1000ms|60(?:\.0)?s|60m|24h/);
    }),
    { numRuns: 2000 },
  );
});

it.each([
  [0, '0 B'],
  [640, '640 B'],
  [2 ** 20 - 1, '1.0 MiB'],
  [1536, '1.5 KiB'],
  [1.5 * 2 ** 30, '1.5 GiB'],
  [200 * 2 ** 20, '200 MiB'],
  [5000 * 2 ** 40, '5000 TiB'],
])('writes %s bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
