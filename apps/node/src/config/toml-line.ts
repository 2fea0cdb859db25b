const HEADER = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?/;
const KEY = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/;

/**
 * The line (from 1) of a TOML document on which `path` is written, or else the line of its nearest enclosing
 * table or key; 1 if there is none. TOML parsers keep no positions, so this looks again at the text.
 */
export function tomlLine(text: string, path: readonly string[]): number {
  let table: readonly string[] = [];
  let best = { line: 1, depth: 0 };
  for (const [index, line] of text.split('\n').entries()) {
    const header = HEADER.exec(line)?.[1];
    if (header !== undefined) table = keysOf(header);
    const written = header === undefined ? KEY.exec(line)?.[1] : '';
    if (written === undefined) continue;
    const full = written === '' ? table : [...table, ...keysOf(written)];
    const matches = full.every((key, at) => at >= path.length || key === path[at]);
    const depth = Math.min(full.length, path.length);
    if (matches && depth > best.depth) best = { line: index + 1, depth };
  }
  return best.line;
}

function keysOf(dotted: string): string[] {
  return Array.from(dotted.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g), ([, double, single, bare]) =>
    String(double ?? single ?? bare),
  );
}
