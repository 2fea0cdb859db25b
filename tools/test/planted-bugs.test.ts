// Shows that every planted bug still finds its text and its test, so that `npm run planted-bugs` can plant
// it.
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { plant } from '../planted-bugs/mutation.ts';
import { MUTATIONS } from '../planted-bugs/mutations.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

test.each(MUTATIONS)('$name', async (mutation) => {
  const source = await readFile(path.join(root, mutation.file), 'utf8');
  expect(plant(source, mutation)).not.toBe(source);
  if (mutation.test !== undefined) await access(path.join(root, mutation.test));
});

test('names are unique, and there are at least 20', () => {
  const names = new Set(MUTATIONS.map(({ name }) => name));
  expect(names.size).toBe(MUTATIONS.length);
  expect(names.size).toBeGreaterThanOrEqual(20);
});

test('a text that is not there, or is there twice, is refused', () => {
  const mutation = { name: 'a bug', file: 'a.ts', find: 'x', replace: 'y' };
  expect(() => plant('z', mutation)).toThrow('a.ts no longer has the text in which "a bug" is planted');
  expect(() => plant('x x', mutation)).toThrow('a.ts has 2 times the text');
});
