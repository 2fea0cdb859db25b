// Shows that canonicalJson writes what RFC 8785 asks for: published vectors, key order, and what it must
// refuse.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type Json } from '@clawbernetes/kernel';

const vectors = path.resolve(import.meta.dirname, '../../../../../shared/vectors/jcs');
const reason = existsSync(vectors) ? '' : ' [skipped: needs the RFC 8785 vectors in ../shared/vectors/jcs]';

describe.skipIf(reason)(`published vectors${reason}`, () => {
  const names = reason ? [] : readdirSync(path.join(vectors, 'input'));

  it.each(names)('%s', (name) => {
    const input = JSON.parse(readFileSync(path.join(vectors, 'input', name), 'utf8')) as Json;
    expect(canonicalJson(input)).toBe(readFileSync(path.join(vectors, 'output', name), 'utf8').trimEnd());
  });
});

/** Any JSON value without lone surrogates. */
const json = fc.jsonValue({ stringUnit: 'binary' }).map((value) => value as Json);

it('reads back as the same value', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

it('escapes what JSON escapes, and nothing else', () => {
  const all = Array.from({ length: 0x1_0000 }, (_, unit) => `a${String.fromCharCode(unit)}z`);
  const texts = all.filter((text) => text.isWellFormed());
  expect(texts.map((text) => canonicalJson(text))).toEqual(texts.map((text) => JSON.stringify(text)));
});

it('does not depend on the order in which members were set', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), json), (members) => {
      const reversed = Object.fromEntries(Object.entries(members).toReversed());
      expect(canonicalJson(reversed)).toBe(canonicalJson(members));
    }),
  );
});

it('sorts keys by UTF-16 code units, not by code points', () => {
  // U+1F600 begins with the surrogate D83D, which is below U+FB33.
  expect(canonicalJson({ '\u{fb33}': 1, '\u{1f600}': 2 })).toBe('{"\u{1f600}":2,"\u{fb33}":1}');
});

it('leaves out members that are undefined and writes minus zero as zero', () => {
  expect(canonicalJson({ b: undefined, a: -0 })).toBe('{"a":0}');
});

it.each([
  ['not a number', Number.NaN],
  ['infinity', [Infinity]],
  ['a lone surrogate', { a: '\ud800' }],
  ['a lone surrogate as a key', { '\udead': 1 }],
])('refuses %s', (_what, value) => {
  expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'canonical-json' }));
});

it('refuses nesting that could exhaust the stack, and accepts 128 levels', () => {
  const nest = (depth: number): Json => {
    let value: Json = 0;
    for (let level = 0; level < depth; level += 1) value = [value];
    return value;
  };
  expect(canonicalJson(nest(128))).toHaveLength(257);
  expect(() => canonicalJson(nest(129))).toThrow(expect.objectContaining({ code: 'canonical-json' }));
});
