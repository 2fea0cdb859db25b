// Shows that commands named in a message can be typed as they stand, and that nothing else is touched.
import { expect, it } from 'vitest';
import { asTyped } from '../../src/output/phrases.ts';

it.each([
  ['It starts after: clawbernetes node undrain a', 'It starts after: npx clawbernetes node undrain a'],
  ['Already typed: npx clawbernetes run -- x', 'Already typed: npx clawbernetes run -- x'],
  ['A clawbernetes gateway', 'A clawbernetes gateway'],
  ['See "clawbernetes up".', 'See "npx clawbernetes up".'],
  ['See "clawbernetes --help".', 'See "npx clawbernetes --help".'],
])('%s', (text, expected) => {
  expect(asTyped(text, 'npx clawbernetes')).toBe(expected);
  expect(asTyped(text, 'clawbernetes')).toBe(text);
});
