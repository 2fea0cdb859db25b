// Shows that the breaking-change check accepts the protocol as it is and refuses a field that changes its
// type.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommand } from '../run-command.ts';

const protocol = path.resolve(import.meta.dirname, '..', '..', 'packages', 'protocol');
const buf = path.resolve(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'buf');
let copy: string;

beforeEach(() => {
  copy = mkdtempSync(path.join(tmpdir(), 'clawbernetes-proto-'));
  cpSync(path.join(protocol, 'proto'), path.join(copy, 'proto'), { recursive: true });
  cpSync(path.join(protocol, 'buf.yaml'), path.join(copy, 'buf.yaml'));
});

afterEach(() => {
  rmSync(copy, { recursive: true });
});

const breaking = () =>
  runCommand(buf, ['breaking', '--against', 'proto/baseline.binpb'], { cwd: copy, capture: true });

it('accepts the protocol as committed', async () => {
  expect(await breaking()).toEqual({ exitCode: 0, output: '' });
});

it('refuses a field that changes its type', async () => {
  const file = path.join(copy, 'proto', 'clawbernetes', 'node', 'v1', 'node.proto');
  const text = readFileSync(file, 'utf8');
  const changed = text.replace('uint64 counter = 2;', 'string counter = 2;');
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
  const { exitCode, output } = await breaking();
  expect(exitCode).not.toBe(0);
  expect(output).toContain('counter');
});
