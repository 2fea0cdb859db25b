// Shows that what statements and proofs sign is RFC 8785's canonical form byte by byte.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { canonicalJson, type Json } from '@clawbernetes/kernel';
import { describe, expect, it } from 'vitest';

const folder = path.resolve(import.meta.dirname, '../../../../../shared/vectors/jcs');
const absent = existsSync(folder) ? '' : ' [skipped: needs the RFC 8785 vectors in ../shared/vectors/jcs]';
const names = absent ? [] : readdirSync(path.join(folder, 'input')).map((file) => path.parse(file).name);

describe.skipIf(absent)(`published bytes${absent}`, () => {
  it.each(names)('%s', (name) => {
    const input = JSON.parse(readFileSync(path.join(folder, 'input', `${name}.json`), 'utf8')) as Json;
    const hex = readFileSync(path.join(folder, 'outhex', `${name}.txt`), 'utf8').replaceAll(/\s/g, '');
    expect(Buffer.from(new TextEncoder().encode(canonicalJson(input))).toString('hex')).toBe(hex);
  });
});
