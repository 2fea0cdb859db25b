/**
 * The JSON value in what a tool printed, or undefined if there is none: tools put warnings before it (`rocm-
 * smi`) or print a sentence instead.
 */
export function parseJsonOutput(text: string): unknown {
  const start = text.search(/[[{]/);
  const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']'));
  if (start < 0 || end < start) return undefined;
  try {
    return JSON.parse(text.slice(start, end + 1));
  } catch {
    return undefined;
  }
}

/** The value at `path` of a parsed document, or undefined; outside data is never trusted to have a shape. */
export function jsonAt(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined;
    current = Reflect.get(current, name);
  }
  return current;
}

/** Text at `path`, without the words that tools use for "unknown". */
export function jsonText(value: unknown, ...path: readonly string[]): string | undefined {
  const found = jsonAt(value, ...path);
  if (typeof found !== 'string') return undefined;
  const text = found.trim();
  return text === '' || text === 'N/A' ? undefined : text;
}

/** A number at `path`, be it written as a number or as text. */
export function jsonNumber(value: unknown, ...path: readonly string[]): number | undefined {
  const found = jsonAt(value, ...path);
  if (typeof found === 'number') return Number.isFinite(found) ? found : undefined;
  const text = jsonText(value, ...path);
  return text === undefined ? undefined : finiteNumber(text);
}

export function jsonMembers(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** The number that `text` is, all of it, or undefined. */
export function finiteNumber(text: string): number | undefined {
  if (!/^-?\d{1,15}(\.\d{1,15})?$/.test(text.trim())) return undefined;
  return Number(text);
}
