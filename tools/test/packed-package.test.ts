// Shows that the pack test finds sources, tests and build state in a package, and a build or README that is
// missing.
import { expect, it } from 'vitest';
import { packingFaults } from '../pack/packed-package.ts';

const whole = ['package.json', 'README.md', 'dist/index.js', 'dist/index.d.ts'];

const faultsOf = (paths: readonly string[]): string[] =>
  packingFaults({ name: 'p', version: '1.0.0', filename: 'p.tgz', files: paths.map((path) => ({ path })) });

it('accepts a package with its build and README', () => {
  expect(faultsOf([...whole, 'bin/p.js', 'dist/testing/index.js'])).toEqual([]);
});

it.each(['src/index.ts', 'test/unit/a.test.ts', 'dist/tsconfig.tsbuildinfo', 'dist/a.test.js'])(
  'refuses %s',
  (path) => {
    expect(faultsOf([...whole, path])).toEqual([expect.stringContaining(path)]);
  },
);

it.each(whole)('misses %s', (path) => {
  expect(faultsOf(whole.filter((other) => other !== path))).toEqual([`p packs no ${path}`]);
});
