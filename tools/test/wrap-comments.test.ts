// Shows that only comment paragraphs with a line over the limit are wrapped, and that no word is lost or
// moved.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { wrapComments } from '../tidy/wrap-comments.ts';

const long = 'word '.repeat(30).trim();

it('wraps line comments and keeps their margin', () => {
  const wrapped = wrapComments(`  // ${long}\n  // and more\n  code();`).split('\n');
  expect(wrapped.every((line) => line.length <= 110)).toBe(true);
  expect(wrapped.slice(0, -1).every((line) => line.startsWith('  // '))).toBe(true);
  expect(wrapped.at(-2)).toMatch(/and more$/);
  expect(wrapped.at(-1)).toBe('  code();');
});

it('opens a one-line docstring that is too long', () => {
  const wrapped = wrapComments(`  /** ${long} */`).split('\n');
  expect([wrapped[0], wrapped[1]?.slice(0, 9), wrapped.at(-1)]).toEqual(['  /**', '   * word', '   */']);
});

it('leaves short paragraphs, lists, tags, tables and code as they are', () => {
  const source = [
    '// A short line',
    '// that breaks early.',
    `const text = '// ${long}';`,
    `// - ${long}`,
    ` * @throws ${long}`,
    ` * | ${long} |`,
    `//   ${long}`,
  ].join('\n');
  expect(wrapComments(source)).toBe(source);
});

it('is done after one pass and loses no word', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '.', '`'), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 80 }), (words) => {
      const once = wrapComments(` * ${words.join(' ')}`);
      expect(wrapComments(once)).toBe(once);
      expect(once.split(/[\s*]+/).filter(Boolean)).toEqual(words);
    }),
  );
});
