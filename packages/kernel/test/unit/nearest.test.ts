// Shows that a slip of the fingers leads to the word that was meant, and that a different word leads nowhere.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nearest } from '@clawbernetes/kernel';

const commands = ['run', 'status', 'node', 'workload', 'invoke', 'config', 'completion'];

it.each([
  ['stauts', 'status'],
  ['statu', 'status'],
  ['wrokload', 'workload'],
  ['Workload', 'workload'],
  ['configg', 'config'],
  ['nod', 'node'],
])('takes %s for %s', (word, meant) => {
  expect(nearest(word, commands)).toBe(meant);
});

it.each(['xylophone', 'deployment-history', '................'])('takes %s for nothing', (word) => {
  expect(nearest(word, commands)).toBeUndefined();
});

it('finds a word of four letters or more through any one slip', () => {
  const slips = fc.tuple(
    fc.constantFrom('status', 'workload', 'completion'),
    fc.nat(),
    fc.constantFrom('q', 'z', ''),
  );
  fc.assert(
    fc.property(slips, ([word, where, letter]) => {
      const at = where % word.length;
      expect(nearest(word.slice(0, at) + letter + word.slice(at + 1), commands)).toBe(word);
    }),
  );
});

it('answers undefined when there is nothing to choose from', () => {
  expect(nearest('run', [])).toBeUndefined();
});
