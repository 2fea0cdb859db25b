// npm run planted-bugs [-- <part of a name> …]: plants one small defect after another in a copy of the
// sources and says what finds it: a seed of the simulator, or the test that is named for it. Ends with 1 if
// nothing does.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Mutation } from './planted-bugs/mutation.ts';
import { MUTATIONS } from './planted-bugs/mutations.ts';
import { PlantedTree } from './planted-bugs/planted-tree.ts';
import { runCommand } from './run-command.ts';

const root = path.resolve(import.meta.dirname, '..');
/** Simulated hours of one seed: seconds of a CPU. */
const HOURS = '1';
/** One that takes so long has stopped to advance. */
const RUN_LIMIT_MS = 300_000;
const TESTS_LIMIT_MS = 300_000;

/** Those that CI runs for coverage are tried until one fails. */
async function seedsOf(folder: string): Promise<readonly string[]> {
  const text = await readFile(path.join(folder, 'test', 'sim', 'ci-seeds.json'), 'utf8');
  const { coverage } = JSON.parse(text) as { readonly coverage: readonly { readonly seed: number }[] };
  return coverage.map(({ seed }) => String(seed));
}

async function simulate(tree: PlantedTree, seed: string): Promise<string | undefined> {
  const node = ['--max-semi-space-size=32', '--conditions=@clawbernetes/source'];
  const args = [...node, 'test/sim/run.ts', '--stop-at-first', '--json', '--seed', seed, '--hours', HOURS];
  const { exitCode, output } = await runCommand('node', args, {
    cwd: tree.root,
    capture: true,
    timeoutMs: RUN_LIMIT_MS,
  });
  if (exitCode === 0) return undefined;
  const report = output.split('\n').findLast((line) => line.startsWith('{'));
  const first = report && (JSON.parse(report) as { readonly violations: readonly string[] }).violations[0];
  return `seed ${seed}: ${first ?? output.trim().split('\n').slice(0, 6).join(' ').slice(0, 300)}`;
}

async function test(tree: PlantedTree, file: string): Promise<string | undefined> {
  const runner = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [runner, 'run', file, '--bail', '1', '--reporter', 'dot'];
  const options = { cwd: tree.root, capture: true, timeoutMs: TESTS_LIMIT_MS };
  const { exitCode, output } = await runCommand('node', args, options);
  if (exitCode === 0) return undefined;
  return `tests: ${/FAIL\s+(.*)/.exec(output)?.[1] ?? output.slice(-300)}`;
}

/** What found it; undefined if nothing did. */
function judge(tree: PlantedTree, mutation: Mutation): Promise<string | undefined> {
  const { test: file } = mutation;
  return tree.with(mutation, () => (file === undefined ? simulateAll(tree) : test(tree, file)));
}

/** What the first seed that fails shows. */
async function simulateAll(tree: PlantedTree): Promise<string | undefined> {
  for (const seed of seeds) {
    const found = await simulate(tree, seed);
    if (found !== undefined) return found;
  }
  return undefined;
}

const wanted = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const seeds = await seedsOf(root);
await using tree = await PlantedTree.open(root);
const healthy = await simulateAll(tree);
if (healthy !== undefined) {
  console.error(`The simulator fails without any planted bug; mend that first. ${healthy}`);
  process.exitCode = 1;
} else {
  let caught = 0;
  for (const mutation of chosen) {
    const caughtBy = await judge(tree, mutation);
    if (caughtBy !== undefined) caught += 1;
    console.log(`${caughtBy === undefined ? 'NOT CAUGHT' : 'caught'}  ${mutation.name}`);
    if (caughtBy !== undefined) console.log(`        ${caughtBy}`);
  }
  console.log(`${caught}/${chosen.length} planted bugs caught`);
  process.exitCode = caught === chosen.length ? 0 : 1;
}
