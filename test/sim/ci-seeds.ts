import { systemRandom } from '@clawbernetes/kernel';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { planFaults } from './fault-plan.ts';
import { runSimulation, type SimulationReport } from './run-simulation.ts';
import { simCommand } from './sim-command.ts';
import { missingTransitions, RARE, UNREACHED, type TransitionCounts } from './transitions.ts';

interface Seed {
  readonly seed: number;
  readonly hours: number;
  readonly nodes?: number;
  readonly pace?: number;
  /** What it found, of one that failed. */
  readonly found?: string;
}

/** `coverage` sees every transition; `failed` are all that ever failed, so that it does not come back. */
interface Seeds {
  readonly coverage: readonly Seed[];
  readonly failed: readonly Seed[];
}

const NODES = 6;
/** Seeds that nobody has seen: as many, of this length. Steps are frames that arrived. */
const FRESH = { count: 6, hours: 0.5, maxSteps: 20_000 } as const;

/** Every seed of the list and a few fresh ones; answers whether all is well, with every transition seen. */
export async function runCiSeeds(log: (line: string) => void): Promise<boolean> {
  const file = path.join(import.meta.dirname, 'ci-seeds.json');
  const { coverage, failed } = JSON.parse(await readFile(file, 'utf8')) as Seeds;
  const counts: TransitionCounts = {};
  let isWell = true;
  let [hours, steps, faults] = [0, 0, 0];
  const fresh = freshSeeds();
  for (const seed of [...coverage, ...failed, ...fresh]) {
    const report = await runOne(seed);
    hours += report.simulatedHours;
    steps += report.steps;
    faults += Object.values(report.faults).reduce((sum, count) => sum + count, 0);
    // Coverage is a matter of the seeds in the list: what chance shows must not decide.
    const seen = fresh.includes(seed) ? [] : Object.entries(report.transitions);
    for (const [key, count] of seen) counts[key] = (counts[key] ?? 0) + count;
    isWell &&= report.violations.length === 0;
    const result = report.violations.length === 0 ? 'no violations' : report.violations.join('\n  ');
    log(`seed ${seed.seed}, ${seed.hours} h, ${report.steps} steps: ${result}`);
    if (report.violations.length > 0)
      log(`  ${simCommand({ nodes: NODES, pace: 1, ...seed })}; once mended, add it to ci-seeds.json`);
  }
  log(`${hours.toFixed(1)} simulated hours, ${steps} steps, ${(faults / hours).toFixed(0)} faults per hour`);
  return tellCoverage(counts, log) && isWell;
}

function runOne({ seed, hours, nodes = NODES, pace = 1 }: Seed): Promise<SimulationReport> {
  return runSimulation(planFaults(seed, nodes, hours, pace), { maxSteps: FRESH.maxSteps * 10 });
}

function freshSeeds(): readonly Seed[] {
  const { count, hours } = FRESH;
  return Array.from({ length: count }, () => ({
    seed: Math.floor(systemRandom.fraction() * 2 ** 31),
    hours,
  }));
}

function tellCoverage(counts: TransitionCounts, log: (line: string) => void): boolean {
  const missing = missingTransitions(counts);
  for (const { machine, state, because } of UNREACHED)
    log(`not reached: ${machine} ${state}, since ${because}`);
  for (const { key, because } of RARE) if (!counts[key]) log(`not demanded: ${key}, since ${because}`);
  for (const key of missing) log(`NEVER SEEN ${key}`);
  log(`${Object.keys(counts).length} kinds of transitions seen, ${missing.length} missing`);
  return missing.length === 0;
}
