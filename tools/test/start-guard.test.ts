// Shows that `npm start` under a Node that is too old explains itself instead of failing on syntax.
import path from 'node:path';
import { expect, it } from 'vitest';
import { findOldNode } from '../pack/old-node.ts';
import { runCommand } from '../run-command.ts';

const node = await findOldNode(24);
const skipped =
  node === undefined ? ' [skipped: needs an older Node on the PATH: apt-get install nodejs]' : '';

it.skipIf(node === undefined)(`names both versions and what to do${skipped}`, async () => {
  const start = path.resolve(import.meta.dirname, '..', 'start.js');
  const { exitCode, output } = await runCommand(node ?? '', [start], { capture: true });
  expect(exitCode).toBe(1);
  expect(output).toMatch(/needs Node 24 or newer; this is Node \d+\./);
  expect(output).toContain('npm ci');
  expect(output).not.toContain('SyntaxError');
});
