import type { Rule } from '../rule.ts';

/** Every source parses; a file that does not would escape the other rules. */
export const syntax: Rule = {
  name: 'syntax',
  check: ({ sources }) =>
    sources.flatMap(({ path, syntaxErrors }) =>
      syntaxErrors.map((error) => ({ file: path, line: 1, message: error })),
    ),
};
