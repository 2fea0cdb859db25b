import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { SimulationReport } from './run-simulation.ts';
import { simCommand } from './sim-command.ts';

export interface SeedPlan {
  readonly seed: number;
  readonly hours: number;
  readonly pace: number;
}

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

export const SOAK_NODES = 6;
/** A run that takes longer has stopped to advance: about a second per simulated hour is usual, ms. */
const LIMIT_PER_HOUR_MS = 600_000;
const MAX_TOLD = 500;

/** Runs seeds one after the other, in a process that is begun anew after one that did not end. */
export class SoakProcess implements Disposable {
  readonly #signal: AbortSignal;
  #child: ChildProcess | undefined;

  /** @param signal ends what runs. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this[Symbol.dispose](), { once: true });
  }

  /** Undefined if it was interrupted. */
  async run(plan: SeedPlan): Promise<SeedResult | undefined> {
    if (this.#signal.aborted) return undefined;
    this.#child ??= begin();
    const told = await answer(this.#child, plan);
    if (this.#signal.aborted) return undefined;
    if (typeof told === 'string') this[Symbol.dispose]();
    return resultOf(plan, told);
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

function begin(): ChildProcess {
  return fork(path.join(import.meta.dirname, 'soak-worker.ts'), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** What the run reports, or why it did not end. */
async function answer(child: ChildProcess, plan: SeedPlan): Promise<SeedReport | string> {
  let errors = '';
  const listen = (data: Buffer): void => void (errors = (errors + data.toString()).slice(-MAX_TOLD));
  child.stderr?.on('data', listen);
  const limit = AbortSignal.timeout(Math.ceil(LIMIT_PER_HOUR_MS * Math.max(1, plan.hours)));
  const over = new AbortController();
  const signal = AbortSignal.any([limit, over.signal]);
  try {
    child.send(plan);
    const report = once(child, 'message', { signal }).then(([message]) => message as SeedReport);
    const ended = once(child, 'close', { signal }).then(
      ([code, cause]) => `its process ended with ${cause ?? code} ${errors.trim()}`,
    );
    return await Promise.race([report, ended]);
  } catch {
    return limit.aborted ? 'it took too long' : `the process is gone ${errors.trim()}`;
  } finally {
    over.abort();
    child.stderr?.off('data', listen);
  }
}

function resultOf(plan: SeedPlan, told: SeedReport | string): SeedResult {
  const { seed, hours } = plan;
  const report = typeof told === 'string' ? undefined : told;
  const violations = typeof told === 'string' ? [`the run did not end: ${told}`] : told.violations;
  const command = simCommand({ ...plan, nodes: SOAK_NODES });
  const outcome = violations.length === 0 ? 'no violations' : `${violations[0]}\n  ${command}`;
  const steps = report ? `${report.steps} steps, ${report.cpuSeconds.toFixed(1)} s of CPU` : 'no steps';
  return { plan, report, violations, command, line: `seed ${seed}, ${hours} h, ${steps}: ${outcome}` };
}
