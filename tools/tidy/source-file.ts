import { parseSync } from 'oxc-parser';

/** A node of the syntax tree (ESTree with TypeScript); offsets are UTF-16 code units. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface ImportEdge {
  /** As written, such as `../clock.ts`. */
  readonly specifier: string;
  /** Erased by the compiler, so it exists for types alone. */
  readonly typeOnly: boolean;
  readonly names: readonly string[];
  readonly line: number;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly program: SyntaxNode;
  readonly imports: readonly ImportEdge[];
  readonly syntaxErrors: readonly string[];
  lineAt(offset: number): number;
}

type Parsed = ReturnType<typeof parseSync>;

export function parseSource(path: string, text: string): SourceFile {
  const parsed = parseSync(path, text);
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length;
  return {
    path,
    text,
    lines: text.split('\n'),
    program: parsed.program as unknown as SyntaxNode, // the rules walk it generically
    imports: [
      ...importsOf(parsed, lineAt),
      ...reexportsOf(parsed, lineAt),
      ...dynamicImportsOf(parsed, text, lineAt),
    ],
    syntaxErrors: parsed.errors.map(({ message }) => message),
    lineAt,
  };
}

/** Calls `visit` with every node below `node` and its parent, in source order. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => void,
  parent?: SyntaxNode,
): void {
  visit(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (isNode(child)) walk(child, visit, node);
    }
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** The name of an identifier (private ones included), or undefined for any other node. */
export function identifierName(node: unknown): string | undefined {
  if (!isNode(node) || !['Identifier', 'PrivateIdentifier'].includes(node.type)) return undefined;
  return typeof node['name'] === 'string' ? node['name'] : undefined;
}

type LineAt = SourceFile['lineAt'];

function importsOf({ module }: Parsed, lineAt: LineAt): ImportEdge[] {
  return module.staticImports.map(({ moduleRequest, entries, start }) => ({
    specifier: moduleRequest.value,
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    names: entries.flatMap(({ importName }) => importName.name ?? []),
    line: lineAt(start),
  }));
}

function reexportsOf({ module }: Parsed, lineAt: LineAt): ImportEdge[] {
  return module.staticExports.flatMap(({ entries, start }) => {
    const specifier = entries.find(({ moduleRequest }) => moduleRequest)?.moduleRequest?.value;
    if (specifier === undefined) return [];
    const names = entries.flatMap(({ importName }) => importName.name ?? []);
    return [{ specifier, typeOnly: entries.every(({ isType }) => isType), names, line: lineAt(start) }];
  });
}

function dynamicImportsOf({ module }: Parsed, text: string, lineAt: LineAt): ImportEdge[] {
  return module.dynamicImports.flatMap(({ moduleRequest, start }) => {
    const [, specifier] = /^['"`](.+)['"`]$/.exec(text.slice(moduleRequest.start, moduleRequest.end)) ?? [];
    return specifier === undefined ? [] : [{ specifier, typeOnly: false, names: [], line: lineAt(start) }];
  });
}
