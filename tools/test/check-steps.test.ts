// Shows that the check stops at the first failure with its remedy, counts truthfully, and reads the trace
// hash.
import { expect, it } from 'vitest';
import { traceHash } from '../check/same-trace.ts';
import { runSteps, summaryOf, type Step, type StepOutcome } from '../check/step.ts';

const step = (name: string, outcome: StepOutcome): Step => ({
  name,
  remedy: `mend ${name}`,
  run: () => Promise.resolve(outcome),
});

async function run(steps: readonly Step[]): Promise<{ lines: string[]; summary: string[] }> {
  const lines: string[] = [];
  const finished = await runSteps(steps, { log: (line) => lines.push(line), nowMs: () => 0 });
  return { lines, summary: summaryOf(steps, finished) };
}

it('runs all steps and says why one was skipped', async () => {
  const { lines, summary } = await run([
    step('lint', { outcome: 'passed' }),
    step('sim', { outcome: 'skipped', note: 'there is none' }),
  ]);
  expect(lines).toContain('sim: skipped: there is none');
  expect(summary.at(-1)).toBe('1 passed, 0 failed, 1 skipped');
});

it('stops at the first failure and says what to do', async () => {
  const { lines, summary } = await run([
    step('lint', { outcome: 'passed' }),
    step('types', { outcome: 'failed' }),
    step('tests', { outcome: 'passed' }),
  ]);
  expect(lines.join('\n')).toContain('"types" failed. mend types');
  expect(summary.slice(2)).toEqual(['  tests  not run', '1 passed, 1 failed']);
});

it.each([
  ['trace hash: 0123abcd4567', '0123abcd4567'],
  ['seed 1\ntrace deadbeef00\nsteps 7', 'deadbeef00'],
  ['traceHash=00ff00ff00ff', '00ff00ff00ff'],
  ['nothing here', undefined],
])('reads the hash of %j', (output, hash) => {
  expect(traceHash(output)).toBe(hash);
});
