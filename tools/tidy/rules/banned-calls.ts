import type { Rule, Violation } from '../rule.ts';
import { identifierName, isNode, walk, type SourceFile, type SyntaxNode } from '../source-file.ts';

/** Members of globals, and what to use instead. */
const MEMBERS: Readonly<Record<string, string>> = {
  'Date.now': 'deps.clock.nowMs()',
  'performance.now': 'deps.clock.monotonicMs()',
  'Math.random': 'deps.random.fraction()',
  'crypto.getRandomValues': 'deps.random.bytes()',
  'crypto.randomUUID': 'newId() of @clawbernetes/kernel',
  'process.env': 'a field of the config that apps/*/src/config.ts parses',
  'process.argv': 'a field of the config that apps/*/src/config.ts parses',
};

/** Global functions, and what to use instead. */
const CALLS: Readonly<Record<string, string>> = {
  setTimeout: 'deps.clock.after(), or sleep() and withTimeout() of @clawbernetes/kernel',
  setInterval: 'every() of @clawbernetes/kernel',
  setImmediate: 'deps.clock.after(0, …)',
  fetch: 'a transport from deps',
};

/** Imported names per module; `*` stands for all of them. Messages say what to use instead. */
const IMPORTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'node:timers': { '*': 'deps.clock.after()' },
  'node:timers/promises': { '*': 'sleep() of @clawbernetes/kernel' },
  'node:crypto': { randomBytes: 'deps.random.bytes()', randomUUID: 'newId() of @clawbernetes/kernel' },
};

/** Packages leave these to the apps and take a port. */
const APP_ONLY: readonly string[] = [
  'node:child_process',
  'node:http',
  'node:https',
  'node:net',
  'node:dgram',
];

const CHECKED = /^(?:packages|apps)\/[^/]+\/(?:src|bin)\//;
const EXEMPT = [
  /^packages\/kernel\/src\/(?:clock|random)\.ts$/,
  /\/src\/testing\//,
  /^apps\/[^/]+\/src\/(?:.*\/)?(?:[a-z-]+-)?(?:main|config)\.ts$/,
  /^apps\/[^/]+\/bin\//,
];

/**
 * Clock, random, network, environment and spawning come from deps, so that everything can be simulated. The
 * kernel's clock and random and the composition roots are where they enter.
 */
export const bannedCalls: Rule = {
  name: 'banned-calls',
  check: ({ sources }) =>
    sources
      .filter(({ path }) => CHECKED.test(path) && !EXEMPT.some((pattern) => pattern.test(path)))
      .flatMap((source) => [...bannedImports(source), ...bannedNodes(source)]),
};

function bannedImports({ path, imports }: SourceFile): Violation[] {
  return imports.flatMap(({ specifier, names, typeOnly, line }) => {
    if (typeOnly) return [];
    if (APP_ONLY.includes(specifier) && path.startsWith('packages/')) {
      return [{ file: path, line, message: `${specifier} belongs to the apps; take a port from deps` }];
    }
    const banned = IMPORTS[specifier] ?? {};
    return ['*', ...names].flatMap((name) => {
      const instead = banned[name];
      return instead
        ? [{ file: path, line, message: `use ${instead} instead of ${name} of ${specifier}` }]
        : [];
    });
  });
}

function bannedNodes(source: SourceFile): Violation[] {
  const violations: Violation[] = [];
  const bound = boundNames(source.program);
  walk(source.program, (node) => {
    const [name, instead] = bannedNode(node, bound) ?? [];
    if (name === undefined) return;
    violations.push({
      file: source.path,
      line: source.lineAt(node.start),
      message: `use ${instead} instead of ${name}`,
    });
  });
  return violations;
}

/** What is banned at `node` and its replacement; names that the file binds itself (such as deps) are free. */
function bannedNode(node: SyntaxNode, bound: ReadonlySet<string>): [string, string] | undefined {
  if (node.type === 'NewExpression' && identifierName(node['callee']) === 'Date') {
    const empty = Array.isArray(node['arguments']) && node['arguments'].length === 0;
    return empty ? ['new Date()', 'new Date(deps.clock.nowMs())'] : undefined;
  }
  if (node.type === 'CallExpression') {
    const name = identifierName(node['callee']) ?? '';
    const instead = bound.has(name) ? undefined : CALLS[name];
    return instead ? [`${name}()`, instead] : undefined;
  }
  if (node.type !== 'MemberExpression') return undefined;
  const object = identifierName(node['object']) ?? '';
  const property = identifierName(node['property']) ?? '';
  if (bound.has(object)) return undefined;
  const instead = MEMBERS[`${object}.${property}`] ?? (object === 'globalThis' ? CALLS[property] : undefined);
  return instead ? [`${object}.${property}`, instead] : undefined;
}

/** Names that parameters, declarations and imports of this file bind: any scope counts. */
function boundNames(program: SyntaxNode): Set<string> {
  const names = new Set<string>();
  const bind = (pattern: unknown): void => {
    if (!isNode(pattern)) return;
    walk(pattern, (node, parent) => {
      const name = identifierName(node);
      const isValue = parent?.type !== 'Property' || parent['value'] === node;
      if (name !== undefined && isValue && parent?.type !== 'MemberExpression') names.add(name);
    });
  };
  walk(program, (node) => {
    if (Array.isArray(node['params'])) node['params'].forEach(bind);
    if (node.type === 'VariableDeclarator' || node.type === 'FunctionDeclaration') bind(node['id']);
    if (node.type.startsWith('Import') && node.type.endsWith('Specifier')) bind(node['local']);
  });
  return names;
}
