import type { Rule } from '../rule.ts';

const SAYS_SOMETHING = /^(?:\/\/|\/\*\*?)\s*\S.{14,}/;

/** The first line of a test file says what it shows. */
export const testComment: Rule = {
  name: 'test-comment',
  check: ({ sources }) =>
    sources
      .filter(({ path, lines }) => path.endsWith('.test.ts') && !SAYS_SOMETHING.test(lines[0] ?? ''))
      .map(({ path }) => ({
        file: path,
        line: 1,
        message: 'begin with a comment that says what this test shows',
      })),
};
