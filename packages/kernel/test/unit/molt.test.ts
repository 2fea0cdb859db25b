// Shows that amounts of tokens are read and printed exactly, and that nothing else is taken for one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMolt, MOLT, parseMolt } from '../../src/index.ts';

describe('amounts', () => {
  it('come back as they were, each in one spelling', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }), (amount) => {
        const text = formatMolt(amount);
        expect(parseMolt(text)).toBe(amount);
        expect(text).not.toMatch(/\.\d*0$|\.$/);
        expect(formatMolt(-amount)).toBe(amount === 0n ? '0' : `-${text}`);
      }),
    );
  });

  it.each([
    ['1', MOLT],
    ['0.000000001', 1n],
    ['12.50', 12_500_000_000n],
    ['0', 0n],
    ['9223372036.854775807', (1n << 63n) - 1n],
  ])('%s', (text, amount) => {
    expect(parseMolt(text)).toBe(amount);
  });

  it.each([
    ...['', ' 1', '1 ', '+1', '-1', '1e3', '１', '0x10', '1_000', '1,5', '.5', '5.', '01', '1.2.3', 'NaN'],
    ...['0.0000000001', '9223372036.854775808', '1'.repeat(100), '٣', '1\n'],
  ])('%j is none', (text) => {
    expect(parseMolt(text)).toBeUndefined();
  });
});
