import { execFile } from 'node:child_process';
import path from 'node:path';
import type { SimulationReport } from './run-simulation.ts';
import { simCommand } from './sim-command.ts';

export interface SeedPlan {
  readonly seed: number;
  readonly hours: number;
  readonly pace: number;
}

/** What `run.ts --json` prints. */
export type SeedReport = SimulationReport & { readonly cpuSeconds: number };

export interface SeedResult {
  readonly plan: SeedPlan;
  /** Undefined if the run did not come to its end. */
  readonly report: SeedReport | undefined;
  /** Of the run, or that it did not come to its end. */
  readonly violations: readonly string[];
  /** Shows the run again. */
  readonly command: string;
  /** For people. */
  readonly line: string;
}

const NODES = 6;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** A run that takes longer has stopped to advance: a few seconds per simulated hour are usual, ms. */
const LIMIT_PER_HOUR_MS = 600_000;

/** Runs one seed in a process of its own; undefined if it was interrupted. */
export async function runSeed(plan: SeedPlan, signal: AbortSignal): Promise<SeedResult | undefined> {
  const { seed, hours, pace } = plan;
  const script = path.join(import.meta.dirname, 'run.ts');
  const options = ['--json', '--seed', `${seed}`, '--hours', `${hours}`, '--pace', `${pace}`];
  const output = await run([...process.execArgv, script, ...options], {
    signal,
    timeout: Math.ceil(LIMIT_PER_HOUR_MS * Math.max(1, hours)),
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (signal.aborted) return undefined;
  const json = output.split('\n').findLast((line) => line.startsWith('{'));
  const report = json === undefined ? undefined : (JSON.parse(json) as SeedReport);
  const violations = report?.violations ?? [`the run did not end: ${output.trim().slice(-500)}`];
  const command = simCommand({ ...plan, nodes: NODES });
  const told = violations.length === 0 ? 'no violations' : `${violations[0]}\n  ${command}`;
  const steps = report ? `${report.steps} steps, ${report.cpuSeconds.toFixed(1)} s of CPU` : 'no steps';
  return { plan, report, violations, command, line: `seed ${seed}, ${hours} h, ${steps}: ${told}` };
}

/** What it says on both of its outputs. */
function run(
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly timeout: number; readonly maxBuffer: number },
): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const why = error?.killed === true ? 'it took too long' : (error?.message ?? '');
      resolve(stdout === '' ? `${stderr}${why}` : stdout);
    });
  });
}
