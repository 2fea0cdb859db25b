import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../run-command.ts';
import type { Mutation } from './mutation.ts';

/** A seed of the simulator, or a file of tests. */
export type Detector =
  | { readonly kind: 'seed'; readonly seed: number; readonly hours: number }
  | { readonly kind: 'test'; readonly file: string };

/** What a detector says of the sources; `silent` of those it takes for healthy. */
export interface Observation {
  readonly result: 'silent' | 'violation' | 'broken';
  /** The violated promise or the failed test; of what broke off, the end of its output. */
  readonly what: string;
}

interface Seed {
  readonly seed: number;
  readonly hours: number;
}

/** Of one seed: seconds of a CPU. */
const MAX_HOURS = 1;
/** Seconds are enough for a healthy run; one that takes so long has stopped to advance. */
const LIMIT_MS = 300_000;
/** A killed command's exit code: 128 and SIGKILL. */
const KILLED = 137;

export function nameOf(detector: Detector): string {
  return detector.kind === 'seed' ? `seed ${detector.seed}, ${detector.hours} h` : detector.file;
}

/** What is named for it first, then the seeds of CI in their order: the first finds most. */
export async function detectorsFor({ test, seed }: Mutation, root: string): Promise<readonly Detector[]> {
  const text = await readFile(path.join(root, 'test', 'sim', 'ci-seeds.json'), 'utf8');
  const { coverage, failed } = JSON.parse(text) as Record<'coverage' | 'failed', readonly Seed[]>;
  const seeds = [...coverage, ...failed].filter(({ hours }) => hours <= MAX_HOURS);
  const named = seed === undefined ? [] : [{ seed, hours: MAX_HOURS }];
  const others = seeds.filter((one) => one.seed !== seed);
  return [
    ...(test === undefined ? [] : [{ kind: 'test', file: test } as const]),
    ...[...named, ...others].map((one) => ({ ...one, kind: 'seed' }) as const),
  ];
}

/** Lets it look at the sources in `folder`; what is installed is that of `root`. */
export function observe(detector: Detector, folder: string, root: string): Promise<Observation> {
  return detector.kind === 'seed' ? simulate(detector, folder) : runTests(detector.file, folder, root);
}

async function simulate(
  { seed, hours }: Extract<Detector, { kind: 'seed' }>,
  folder: string,
): Promise<Observation> {
  const node = ['--max-semi-space-size=32', '--conditions=@clawbernetes/source'];
  const options = ['--stop-at-first', '--json', '--seed', String(seed), '--hours', String(hours)];
  const { exitCode, output } = await run([...node, 'test/sim/run.ts', ...options], folder);
  const report = output.split('\n').findLast((line) => line.startsWith('{"seed"'));
  const first = report && (JSON.parse(report) as { readonly violations: readonly string[] }).violations[0];
  if (first !== undefined && first !== '') return { result: 'violation', what: first };
  return exitCode === 0 ? { result: 'silent', what: '' } : broken(exitCode, output);
}

async function runTests(file: string, folder: string, root: string): Promise<Observation> {
  const runner = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  // Threads, so that one that loops for ever ends with its process.
  const options = ['--bail', '1', '--reporter', 'dot', '--pool', 'threads', '--no-color'];
  const { exitCode, output } = await run([runner, 'run', file, ...options], folder);
  // A file that cannot be loaded fails without the name of a test.
  const failed = /FAIL\s+\S+ > (.*)/.exec(output)?.[1];
  if (failed !== undefined) return { result: 'violation', what: failed };
  return exitCode === 0 ? { result: 'silent', what: '' } : broken(exitCode, output);
}

/** It says nothing about the promises of the product: a syntax error would end so, too. */
function broken(exitCode: number, output: string): Observation {
  const what = exitCode === KILLED ? `ended after ${LIMIT_MS / 1000} s` : output.trim().slice(-400);
  return { result: 'broken', what };
}

function run(args: readonly string[], cwd: string): ReturnType<typeof runCommand> {
  return runCommand('node', args, { cwd, capture: true, timeoutMs: LIMIT_MS, killSignal: 'SIGKILL' });
}
