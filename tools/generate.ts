// Generates TypeScript from packages/protocol/proto. Everything runs offline.
//   npm run generate                  lints the protocol and writes the generated code
//   npm run generate -- --check       fails if the committed code is stale or the released protocol is broken
//   npm run generate -- --baseline    records today's protocol as the released one: on each release only
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand } from './run-command.ts';

const protocol = path.resolve(import.meta.dirname, '..', 'packages', 'protocol');
const generated = path.join(protocol, 'src', 'generated');
const baseline = path.join('proto', 'baseline.binpb');

const { values } = parseArgs({ options: { check: { type: 'boolean' }, baseline: { type: 'boolean' } } });

async function buf(...args: readonly string[]): Promise<boolean> {
  const { exitCode } = await runCommand('buf', args, { cwd: protocol });
  return exitCode === 0;
}

/** Files under `directory` by relative path. */
function readTree(directory: string): Map<string, string> {
  const names = globSync('**/*.ts', { cwd: directory }).toSorted();
  return new Map(names.map((name) => [name, readFileSync(path.join(directory, name), 'utf8')]));
}

async function isFresh(): Promise<boolean> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'clawbernetes-generate-'));
  try {
    if (!(await buf('generate', '--output', scratch))) return false;
    const fresh = readTree(path.join(scratch, 'src', 'generated'));
    const committed = readTree(generated);
    const names = [...new Set([...fresh.keys(), ...committed.keys()])];
    const stale = names.filter((name) => fresh.get(name) !== committed.get(name));
    for (const name of stale)
      console.log(`${path.join(generated, name)} is stale: run \`npm run generate\`.`);
    return stale.length === 0;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function keepsBaseline(): Promise<boolean> {
  if (!existsSync(path.join(protocol, baseline))) {
    console.log(`packages/protocol/${baseline} is missing: run \`npm run generate -- --baseline\`.`);
    return false;
  }
  if (await buf('breaking', '--against', baseline)) return true;
  console.log('The protocol breaks its released form: old nodes and gateways could not talk to new ones.');
  console.log('Add fields under new numbers and reserve the old ones; CONTRIBUTING.md says how.');
  return false;
}

async function main(): Promise<boolean> {
  if (!(await buf('lint'))) return false;
  if (values.baseline) return buf('build', '--exclude-source-info', '--output', baseline);
  if (values.check) return (await isFresh()) && keepsBaseline();
  return buf('generate');
}

process.exitCode = (await main()) ? 0 : 1;
