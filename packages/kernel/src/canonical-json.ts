import { CodedError } from './coded-error.ts';

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Deepest nesting accepted, so that hostile data cannot exhaust the stack. */
const MAX_DEPTH = 128;
/** Printable ASCII of which nothing has to be escaped: nearly every string. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * Canonical JSON by RFC 8785 (JCS): keys sorted by UTF-16 code units, numbers and strings as ECMAScript
 * prints them, no spaces. Members whose value is `undefined` are left out, as JSON.stringify does.
 * @throws CodedError `canonical-json` for a number that is not finite, a lone surrogate, or too deep a
 * nesting.
 */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

function write(value: Json, depth: number): string {
  if (depth > MAX_DEPTH) throw refuse(`nesting deeper than ${MAX_DEPTH}`);
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw refuse(`the number ${value}`);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  let members = '';
  // Without an order of its own, `toSorted` compares UTF-16 code units.
  for (const key of Object.keys(value).toSorted()) {
    const member = value[key];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${writeString(key)}:${write(member, depth + 1)}`;
  }
  return `{${members}}`;
}

function writeString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw refuse('a string with a lone surrogate');
  return JSON.stringify(text);
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function refuse(what: string): CodedError {
  return new CodedError(`Canonical JSON cannot hold ${what} (RFC 8785).`, { code: 'canonical-json' });
}
