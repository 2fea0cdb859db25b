// npm run check [-- <step> …]: everything that CI runs, in an order that fails early. It stops at the first
// failure, says what to do, and ends with a line of counts.
import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { traceHash } from './check/same-trace.ts';
import { runSteps, summaryOf, type Step, type StepOutcome } from './check/step.ts';
import { runCommand } from './run-command.ts';

const root = path.resolve(import.meta.dirname, '..');
const SIMULATED_HOURS = '0.5';

async function npm(...args: readonly string[]): Promise<StepOutcome> {
  const { exitCode } = await runCommand('npm', args, { cwd: root });
  return { outcome: exitCode === 0 ? 'passed' : 'failed' };
}

const script = (name: string, ...args: readonly string[]) => npm('run', '--silent', name, '--', ...args);

/**
 * Two runs from one seed must be one run; otherwise a failure that the simulator finds could not be shown
 * again.
 */
async function simulateTwice(): Promise<StepOutcome> {
  if (!existsSync(path.join(root, 'test', 'sim', 'run.ts'))) {
    return { outcome: 'skipped', note: 'test/sim/run.ts does not exist yet' };
  }
  const hashes: string[] = [];
  for (const round of ['first', 'second']) {
    const args = ['run', '--silent', 'sim', '--', '--seed', '1', '--hours', SIMULATED_HOURS];
    const { exitCode, output } = await runCommand('npm', args, { cwd: root, capture: true });
    const hash = traceHash(output);
    console.log(output.trimEnd());
    if (exitCode !== 0) return { outcome: 'failed', note: `the ${round} run ended with ${exitCode}` };
    if (hash === undefined) return { outcome: 'failed', note: `the ${round} run printed no trace hash` };
    hashes.push(hash);
  }
  if (hashes[0] === hashes[1]) return { outcome: 'passed' };
  return { outcome: 'failed', note: `one seed gave two traces: ${hashes.join(' and ')}` };
}

async function smallBenchmarks(): Promise<StepOutcome> {
  const names = globSync('*.ts', { cwd: path.join(root, 'test', 'perf') }).map((file) =>
    path.basename(file, '.ts'),
  );
  if (names.length === 0) return { outcome: 'skipped', note: 'test/perf has no benchmark yet' };
  for (const name of names.toSorted()) {
    const { outcome } = await script('bench', name, '--small');
    if (outcome === 'failed') return { outcome, note: `npm run bench -- ${name} --small` };
  }
  return { outcome: 'passed' };
}

const STEPS: readonly Step[] = [
  {
    name: 'lint',
    run: () => script('lint'),
    remedy: 'Run `npm run format`, then `npm run lint` and mend what it names.',
  },
  {
    name: 'types',
    run: () => script('types'),
    remedy: 'Run `npm run types` until it is silent.',
  },
  {
    name: 'tidy',
    run: () => script('tidy'),
    remedy: 'Each line above says what to do instead; the rules are in CONTRIBUTING.md.',
  },
  {
    name: 'knip',
    run: () => script('knip'),
    remedy: 'Delete what nothing uses, or declare the dependency in the package that uses it.',
  },
  {
    name: 'generate',
    run: () => script('generate', '--check'),
    remedy: 'Run `npm run generate` and commit the result; a breaking change needs new field numbers.',
  },
  {
    name: 'tests',
    run: () => npm('test', '--silent'),
    remedy: 'Run one file with `npx vitest run <path>`; a property test prints the seed that fails.',
  },
  {
    name: 'simulation',
    run: simulateTwice,
    remedy: 'Run `npm run sim -- --seed 1`; look for time, chance or I/O that does not come from deps.',
  },
  {
    name: 'seeds',
    run: () => script('sim', '--ci'),
    remedy: 'Run the seed named above by itself: it shrinks. Once mended, add it to test/sim/ci-seeds.json.',
  },
  {
    name: 'benchmarks',
    run: smallBenchmarks,
    remedy: 'Run the benchmark named above by itself.',
  },
  {
    name: 'pack-test',
    run: () => script('pack-test'),
    remedy: 'Run `npm run pack-test`; look at "files", "exports" and "dependencies" of the package it names.',
  },
];

const chosen = process.argv.slice(2);
const unknown = chosen.filter((wanted) => STEPS.every(({ name }) => name !== wanted));
if (unknown.length > 0) {
  console.error(`No step "${unknown.join('", "')}". Steps: ${STEPS.map(({ name }) => name).join(', ')}.`);
  process.exit(5);
}
const steps = STEPS.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
const finished = await runSteps(steps, { log: (line) => console.log(line), nowMs: () => Date.now() });
console.log('');
for (const line of summaryOf(steps, finished)) console.log(line);
process.exitCode = finished.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
