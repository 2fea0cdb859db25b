// Shows that each rule of tools/tidy.ts finds what it is there for, and leaves good code alone.
import { describe, expect, it } from 'vitest';
import { parseProject } from '../tidy/project.ts';
import { RULES } from '../tidy/rules.ts';

/** Two packages and an app that break no rule. */
const CLEAN: Readonly<Record<string, string>> = {
  ...workspace('packages/kernel', '@clawbernetes/kernel'),
  ...workspace('packages/fleet', '@clawbernetes/fleet', ['@clawbernetes/kernel']),
  ...workspace('packages/orders', '@clawbernetes/orders', ['@clawbernetes/kernel']),
  ...workspace('packages/ledger', '@clawbernetes/ledger', ['@clawbernetes/orders']),
  ...workspace('packages/storage', '@clawbernetes/storage'),
  ...workspace('packages/sdk', '@clawbernetes/sdk', ['@clawbernetes/orders']),
  ...workspace('apps/gateway', '@clawbernetes/gateway', ['@clawbernetes/fleet', '@clawbernetes/ledger']),
};

function workspace(directory: string, name: string, uses: readonly string[] = []): Record<string, string> {
  const dependencies = Object.fromEntries(uses.map((use) => [use, '0.1.0']));
  const exports = { '.': { '@clawbernetes/source': './src/index.ts' } };
  return {
    [`${directory}/package.json`]: JSON.stringify({ name, exports, dependencies }),
    [`${directory}/README.md`]: `# ${name}\n`,
    [`${directory}/src/index.ts`]: `export const name = '${name}';\n`,
  };
}

/** `file:line message` of every finding of the rule `name` in the clean project with `files` laid over it. */
function findings(name: string, files: Readonly<Record<string, string>>): string[] {
  const rule = RULES.find((candidate) => candidate.name === name);
  const project = parseProject(new Map(Object.entries({ ...CLEAN, ...files })));
  return rule?.check(project).map(({ file, line, message }) => `${file}:${line} ${message}`) ?? [];
}

interface Sample {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  /** Part of the one message expected. */
  readonly says: string;
}

const at = (file: string, text: string): Readonly<Record<string, string>> => ({ [file]: `${text}\n` });

const BAD: Readonly<Record<string, readonly Sample[]>> = {
  syntax: [
    {
      what: 'a file that does not parse',
      files: at('packages/fleet/src/a.ts', 'const = 1;'),
      says: 'a.ts:1',
    },
  ],
  layers: [
    {
      what: 'fleet importing ledger',
      files: at(
        'packages/fleet/src/a.ts',
        "import { name } from '@clawbernetes/ledger';\nexport const x = name;",
      ),
      says: '"fleet" may not import "ledger"',
    },
    {
      what: 'such an edge for types alone',
      files: at('packages/fleet/src/a.ts', "import type { name } from '@clawbernetes/ledger';"),
      says: '"fleet" may not import "ledger"',
    },
    {
      what: 'such an edge in package.json',
      files: workspace('packages/fleet', '@clawbernetes/fleet', ['@clawbernetes/ledger']),
      says: 'packages/fleet/package.json:1 "fleet" may not import "ledger"',
    },
    {
      what: 'orders importing storage, which browsers would install',
      files: at('packages/orders/src/a.ts', "export { name } from '@clawbernetes/storage';"),
      says: '"orders" may not import "storage"',
    },
    {
      what: 'the client importing the ledger',
      files: workspace('packages/sdk', '@clawbernetes/sdk', ['@clawbernetes/ledger']),
      says: '"sdk" may not import "ledger"',
    },
    {
      what: 'fleet importing orders',
      files: at('packages/fleet/src/a.ts', "export { name } from '@clawbernetes/orders';"),
      says: '"fleet" may not import "orders"',
    },
    {
      what: 'kernel importing upwards',
      files: at('packages/kernel/src/a.ts', "export { name } from '@clawbernetes/fleet';"),
      says: '"kernel" may not import "fleet"',
    },
    {
      what: 'an import of an app',
      files: at('packages/fleet/src/a.ts', "export { name } from '@clawbernetes/gateway';"),
      says: 'nothing imports an app',
    },
    {
      what: 'a package that no layer knows',
      files: workspace('packages/stuff', '@clawbernetes/stuff'),
      says: '"stuff" is in no layer',
    },
    {
      what: 'Node in a browser package',
      files: at('packages/sdk/src/a.ts', "export { readFile } from 'node:fs';"),
      says: '"sdk" runs in browsers',
    },
    {
      what: 'the Node folder of a browser package in its core',
      files: at('packages/sdk/src/a.ts', "export { read } from './node/read.ts';"),
      says: '"sdk" runs in browsers',
    },
  ],
  'package-inside': [
    {
      what: 'a deep specifier',
      files: at('packages/fleet/src/a.ts', "export { clock } from '@clawbernetes/kernel/src/clock.ts';"),
      says: 'does not export',
    },
    {
      what: 'a relative path into another package',
      files: at('test/sim/a.ts', "export { clock } from '../../packages/kernel/src/clock.ts';"),
      says: 'reaches inside packages/kernel',
    },
  ],
  cycles: [
    {
      what: 'two modules that import each other',
      files: {
        ...at('packages/fleet/src/a.ts', "import { b } from './b.ts';\nexport const a = b;"),
        ...at('packages/fleet/src/b.ts', "import { a } from './a.ts';\nexport const b = a;"),
      },
      says: 'packages/fleet/src/a.ts → packages/fleet/src/b.ts → packages/fleet/src/a.ts',
    },
    {
      what: 'two packages that import each other',
      files: {
        ...at('packages/kernel/src/index.ts', "export { name } from '@clawbernetes/fleet';"),
        ...at('packages/fleet/src/index.ts', "export { name } from '@clawbernetes/kernel';"),
      },
      says: 'imports in a circle',
    },
  ],
  'banned-calls': [
    ...Object.entries({
      'Date.now()': 'use deps.clock.nowMs() instead of Date.now',
      'new Date()': 'deps.clock.nowMs()',
      'performance.now()': 'deps.clock.monotonicMs()',
      'Math.random()': 'use deps.random.fraction() instead of Math.random',
      'crypto.randomUUID()': 'newId()',
      'setTimeout(() => 0, 1)': 'deps.clock.after()',
      'setInterval(() => 0, 1)': 'every()',
      'globalThis.setTimeout(() => 0, 1)': 'deps.clock.after()',
      "fetch('http://localhost')": 'a transport from deps',
      'process.env.HOME': 'apps/*/src/config.ts',
    }).map(([call, says]) => ({
      what: call,
      files: at('packages/fleet/src/a.ts', `export const x = ${call};`),
      says,
    })),
    {
      what: 'random bytes of node:crypto',
      files: at('apps/gateway/src/a.ts', "export { randomBytes } from 'node:crypto';"),
      says: 'deps.random.bytes()',
    },
    {
      what: 'sockets in a package',
      files: at('packages/fleet/src/a.ts', "export { connect } from 'node:net';"),
      says: 'belongs to the apps',
    },
  ],
  sizes: [
    {
      what: 'a long function',
      files: at('packages/fleet/src/a.ts', `export function long(): void {\n${'  //\n'.repeat(69)}}`),
      says: 'function long has 71 lines',
    },
    { what: 'a long file', files: at('packages/fleet/src/a.ts', '//\n'.repeat(400)), says: '401 lines' },
    {
      what: 'a sentence that is longer still',
      files: at('packages/fleet/src/a.ts', `const said = '${'x'.repeat(120)}';`),
      says: 'at most 130',
    },
    {
      what: 'a long line',
      files: at('packages/fleet/src/a.ts', `// ${'x'.repeat(108)}`),
      says: '111 characters',
    },
  ],
  names: [
    { what: 'camel case', files: at('packages/fleet/src/nodeList.ts', ''), says: 'kebab-case' },
    {
      what: 'a folder of helpers',
      files: at('packages/fleet/src/helpers/a.ts', ''),
      says: 'name the concept',
    },
    { what: 'a util file', files: at('packages/fleet/src/date-utils.ts', ''), says: 'name the concept' },
    {
      what: 'a Manager',
      files: at('packages/fleet/src/a.ts', 'export class NodeManager {}'),
      says: 'NodeManager',
    },
    {
      what: 'an I-prefix',
      files: at('packages/fleet/src/a.ts', 'export interface INode {}'),
      says: 'without an I',
    },
  ],
  'test-comment': [
    {
      what: 'a test that does not say what it shows',
      files: at('packages/fleet/test/unit/a.test.ts', "import { it } from 'vitest';"),
      says: 'begin with a comment',
    },
  ],
  'package-files': [
    {
      what: 'a package without README or index',
      files: at('packages/trust/package.json', JSON.stringify({ name: '@clawbernetes/trust' })),
      says: 'packages/trust/README.md:1 missing',
    },
    {
      what: 'tests that the linter cannot type-check',
      files: at('packages/fleet/test/unit/a.test.ts', ''),
      says: 'packages/fleet/test/tsconfig.json:1 missing',
    },
    {
      what: 'error codes that are listed nowhere',
      files: at(
        'packages/fleet/src/a.ts',
        "throw new CodedError('', bad ? { code: 'no-node' } : { code: 'no-gpu' });",
      ),
      says: 'packages/fleet/src/errors.ts:1 missing: the union of no-gpu, no-node',
    },
    {
      what: 'an export of everything',
      files: at('packages/fleet/src/index.ts', "export * from './a.ts';"),
      says: 'explicit name',
    },
  ],
  words: [
    { what: 'an open end', files: at('README.md', ['TO', 'DO: more'].join('')), says: 'an open end' },
    {
      what: 'a path of a machine',
      files: at('README.md', ['see /home/', 'ann/x'].join('')),
      says: 'one machine',
    },
    {
      what: 'a registry',
      files: at('.npmrc', ['registry.', 'npmjs', '.org'].join('')),
      says: 'a package registry',
    },
  ],
};

const GOOD: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  layers: {
    ...at('packages/fleet/src/a.ts', "export { name } from '@clawbernetes/kernel';"),
    ...at('apps/gateway/src/a.ts', "export { name } from '@clawbernetes/ledger';"),
    ...at('packages/ledger/src/a.ts', "export { name } from '@clawbernetes/orders';"),
    ...at('packages/sdk/src/a.ts', "export { name } from '@clawbernetes/orders';"),
  },
  'package-inside': at('packages/fleet/src/a.ts', "export { name } from './index.ts';"),
  cycles: {
    ...at('packages/fleet/src/a.ts', "import type { B } from './b.ts';\nexport type A = B;"),
    ...at('packages/fleet/src/b.ts', "import { a } from './a.ts';\nexport const b = a;"),
  },
  'banned-calls': {
    ...at('packages/fleet/src/a.ts', 'export const get = ({ fetch, Date: { now } }) => fetch(now());'),
    ...at('packages/fleet/src/b.ts', 'export const when = (at: number) => new Date(at).toISOString();'),
    ...at('packages/kernel/src/clock.ts', 'export const now = () => Date.now();'),
    ...at('apps/gateway/src/config.ts', 'export const home = process.env.HOME;'),
    ...at('packages/fleet/test/unit/a.ts', 'export const t = Date.now();'),
  },
  sizes: {
    ...at('packages/fleet/test/unit/a.test.ts', `describe('x', () => {\n${'  //\n'.repeat(90)}});`),
    ...at(
      'packages/fleet/src/a.ts',
      `const said = '${'x'.repeat(110)}';\n// https://a.org/${'x'.repeat(110)}`,
    ),
  },
  names: at('packages/fleet/src/node-list.ts', 'export interface Image {}'),
  'test-comment': at('packages/fleet/test/unit/a.test.ts', '// Shows that a lease ends when it should.'),
  'package-files': at('packages/fleet/src/a.ts', "throw new CodedError('', { code: 'no-node' });"),
  words: at('README.md', 'A to-do list.'),
};

for (const [name, samples] of Object.entries(BAD)) {
  describe(`rule ${name}`, () => {
    it.each(samples)('finds $what', ({ files, says }) => {
      const found = findings(name, files);
      expect(found.filter((finding) => finding.includes(says))).toHaveLength(1);
    });

    it('has nothing to say about good code', () => {
      expect(findings(name, GOOD[name] ?? {})).toEqual([]);
    });
  });
}

it('tests every rule there is', () => {
  expect(Object.keys(BAD).toSorted()).toEqual(RULES.map(({ name }) => name).toSorted());
});
