// npm run planted-bugs [-- <part of a name> …]: plants one small defect after another in a copy of the
// sources and says what finds it: a seed of the simulator, or else the tests of what it is in. Ends with 1 if
// nothing does.
import path from 'node:path';
import type { Mutation } from './planted-bugs/mutation.ts';
import { MUTATIONS } from './planted-bugs/mutations.ts';
import { PlantedTree } from './planted-bugs/planted-tree.ts';
import { runCommand } from './run-command.ts';

const root = path.resolve(import.meta.dirname, '..');
/** Simulated hours of one seed, and seeds that are tried until one fails. */
const HOURS = '1';
const SEEDS = ['20', '21', '25', '31'];
const RUN_LIMIT_MS = 120_000;
const TESTS_LIMIT_MS = 300_000;
/** Of the sources in which defects are planted. */
const PROPERTIES = [
  'packages/fleet/test/unit',
  'apps/node/test/agent/attempt-book.test.ts',
  'apps/node/test/supervisor/contact-watch.test.ts',
];

interface Verdict {
  readonly mutation: Mutation;
  /** Undefined if nothing found it. */
  readonly caughtBy: string | undefined;
}

async function simulate(tree: PlantedTree, seed: string): Promise<string | undefined> {
  const args = ['--conditions=@clawbernetes/source', 'test/sim/run.ts', '--stop-at-first', '--json'];
  const { exitCode, output } = await runCommand('node', [...args, '--seed', seed, '--hours', HOURS], {
    cwd: tree.root,
    capture: true,
    timeoutMs: RUN_LIMIT_MS,
  });
  if (exitCode === 0) return undefined;
  const report = output.split('\n').findLast((line) => line.startsWith('{'));
  const first = report && (JSON.parse(report) as { readonly violations: readonly string[] }).violations[0];
  return `seed ${seed}: ${first ?? output.trim().split('\n').slice(0, 6).join(' ').slice(0, 300)}`;
}

async function test(tree: PlantedTree): Promise<string | undefined> {
  const runner = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [runner, 'run', ...PROPERTIES, '--bail', '1', '--reporter', 'dot'];
  const options = { cwd: tree.root, capture: true, timeoutMs: TESTS_LIMIT_MS };
  const { exitCode, output } = await runCommand('node', args, options);
  if (exitCode === 0) return undefined;
  return `tests: ${/FAIL\s+(.*)/.exec(output)?.[1] ?? output.slice(-300)}`;
}

async function judge(tree: PlantedTree, mutation: Mutation): Promise<Verdict> {
  const caughtBy = await tree.with(mutation, async () => {
    for (const seed of SEEDS) {
      const found = await simulate(tree, seed);
      if (found !== undefined) return found;
    }
    return test(tree);
  });
  return { mutation, caughtBy };
}

const wanted = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
await using tree = await PlantedTree.open(root);
const healthy = await simulate(tree, SEEDS[0] ?? '1');
if (healthy !== undefined) {
  console.error(`The simulator fails without any planted bug; mend that first. ${healthy}`);
  process.exitCode = 1;
} else {
  let caught = 0;
  for (const mutation of chosen) {
    const { caughtBy } = await judge(tree, mutation);
    if (caughtBy !== undefined) caught += 1;
    console.log(`${caughtBy === undefined ? 'NOT CAUGHT' : 'caught'}  ${mutation.name}`);
    if (caughtBy !== undefined) console.log(`        ${caughtBy}`);
  }
  console.log(`${caught}/${chosen.length} planted bugs caught`);
  process.exitCode = caught === chosen.length ? 0 : 1;
}
