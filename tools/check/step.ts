export interface StepOutcome {
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or what failed if the output of its command does not say so. */
  readonly note?: string;
}

export interface Step {
  readonly name: string;
  /** What to do when it fails. */
  readonly remedy: string;
  readonly run: () => Promise<StepOutcome>;
}

export interface FinishedStep extends StepOutcome {
  readonly name: string;
  readonly durationMs: number;
}

export interface Console {
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
}

/** Runs `steps` in order and stops after the first that fails. */
export async function runSteps(
  steps: readonly Step[],
  { log, nowMs }: Console,
): Promise<readonly FinishedStep[]> {
  const finished: FinishedStep[] = [];
  for (const { name, remedy, run } of steps) {
    log(`\n── ${name} `.padEnd(72, '─'));
    const startMs = nowMs();
    const outcome = await run();
    finished.push({ name, durationMs: nowMs() - startMs, ...outcome });
    if (outcome.note !== undefined) log(`${name}: ${outcome.outcome}: ${outcome.note}`);
    if (outcome.outcome !== 'failed') continue;
    log(`\n"${name}" failed. ${remedy}`);
    break;
  }
  return finished;
}

/** One line per step, then the closing line with the counts. */
export function summaryOf(steps: readonly Step[], finished: readonly FinishedStep[]): string[] {
  const width = Math.max(...steps.map(({ name }) => name.length));
  const lines = steps.map(({ name }) => {
    const done = finished.find((step) => step.name === name);
    if (!done) return `  ${name.padEnd(width)}  not run`;
    return `  ${name.padEnd(width)}  ${done.outcome.padEnd(7)}  ${(done.durationMs / 1000).toFixed(1)} s`;
  });
  const count = (outcome: StepOutcome['outcome']): number =>
    finished.filter((step) => step.outcome === outcome).length;
  const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : '';
  return [...lines, `${count('passed')} passed, ${count('failed')} failed${skipped}`];
}
