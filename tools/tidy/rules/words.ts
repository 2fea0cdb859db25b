import type { Rule } from '../rule.ts';

/** Written so that they do not match themselves. */
const FORBIDDEN: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /\b(?:FIX[M]E|TO[D]O|XX[X])\b/, why: 'an open end: do it, or open an issue' },
  {
    pattern: /\/(?:w[o]rk\/(?:main|shared)|tmp\/t[e]am|(?:ro[o]t|home\/[a-z]+)\/[\w.])/,
    why: 'a path of one machine',
  },
  { pattern: /\bregistry\.(?:npm[j]s|yarn[p]kg)\b|\bnpm[m]irror\b/, why: 'a package registry' },
  {
    pattern: /"resolved":\s*"[h]ttps?:/,
    why: 'a package registry; install with omit-lockfile-registry-resolved',
  },
];

/** No open ends, and nothing that is true on one machine only. */
export const words: Rule = {
  name: 'words',
  check: ({ files }) =>
    [...files].flatMap(([file, text]) =>
      text.split('\n').flatMap((content, index) => {
        const found = FORBIDDEN.find(({ pattern }) => pattern.test(content));
        return found ? [{ file, line: index + 1, message: `holds ${found.why}` }] : [];
      }),
    ),
};
