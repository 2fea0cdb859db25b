// `npm run soak -- --hours <n> [--seed <first>] [--pace <p>] [--workers <w>] [--json]`: one seed after another,
// each of some hours, in so many processes. Tells every seed and the totals; ends with 1 after a violation.
import { parseArgs } from 'node:util';
import { emptyTotals, totalsOf, type SoakTotals } from './soak-totals.ts';
import { SoakProcess, type SeedPlan } from './soak-process.ts';

/**
 * Long enough that the start and the calm end of a run, which are not counted, weigh little; an hour becomes
 * dearer the more there is to remember.
 */
const HOURS_PER_SEED = 10;

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    pace: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
});

const pace = Number(values.pace);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const seeds = plannedSeeds();
let totals: SoakTotals = emptyTotals();
await Promise.all(Array.from({ length: Number(values.workers) }, () => work()));
if (values.json) console.log(JSON.stringify(totals));
else tell();
process.exitCode = totals.violations.length === 0 ? 0 : 1;

/** Takes the next seed until none is left, or somebody wants no more. */
async function work(): Promise<void> {
  using runner = new SoakProcess(interrupted.signal);
  for (let plan = seeds.shift(); plan; plan = seeds.shift()) {
    const result = await runner.run(plan);
    if (!result) return;
    totals = totalsOf(totals, result);
    if (!values.json) console.log(result.line);
  }
}

function plannedSeeds(): SeedPlan[] {
  const plans: SeedPlan[] = [];
  for (let left = Number(values.hours), seed = Number(values.seed); left > 0; seed += 1) {
    plans.push({ seed, hours: Math.min(left, HOURS_PER_SEED), pace });
    left -= HOURS_PER_SEED;
  }
  return plans;
}

function tell(): void {
  const { hours, steps, faultsPerHour, cpuSecondsPerHour, violations, missing } = totals;
  console.log(
    `${hours.toFixed(1)} simulated hours, ${steps} steps, ${faultsPerHour.toFixed(1)} faults per hour, ` +
      `${cpuSecondsPerHour.toFixed(1)} s of CPU per hour`,
  );
  for (const key of missing) console.log(`never seen: ${key}`);
  for (const { command, violation } of violations) console.log(`VIOLATION ${violation}\n  ${command}`);
  console.log(`${violations.length} seeds with violations`);
}
