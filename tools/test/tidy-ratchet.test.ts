// Shows that the ratchet forgives known sizes, never growth, and forgets what is no longer over the limit.
import { expect, it } from 'vitest';
import { judge } from '../tidy/ratchet.ts';

const long = (key: string, amount: number) => ({
  file: 'a.ts',
  line: 1,
  message: key,
  measure: { key, amount },
});

it('forgives a known size and writes down that it shrank', () => {
  const { failures, next } = judge([long('f', 80)], { f: 90, gone: 75 });
  expect(failures).toEqual([]);
  expect(next).toEqual({ f: 80 });
});

it('does not forgive growth, a new size, or a finding that has no size', () => {
  const other = { file: 'a.ts', line: 1, message: 'cycle' };
  const { failures, next } = judge([long('f', 91), long('g', 71), other], { f: 90 });
  expect(failures.map(({ message }) => message)).toEqual(['f', 'g', 'cycle']);
  expect(next).toEqual({});
});
