// `npm run sim -- --seed <n> --hours <h> [--pace <p>] [--json]`: the whole system under a virtual clock, network and disk.
// Ends with 1 after a violation, having made the run that shows it smaller.
import { parseArgs } from 'node:util';
import { runCiSeeds } from './ci-seeds.ts';
import { planFaults, type FaultPlan } from './fault-plan.ts';
import { runSimulation, type SimulationReport } from './run-simulation.ts';
import { shrink } from './shrink.ts';
import { simCommand } from './sim-command.ts';

const MAX_SHRINK_RUNS = 60;
const LEAST_PACE = 0.05;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    hours: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '6' },
    // Of faults and requests, from 0.05 to 1: less makes long spans cheap.
    pace: { type: 'string', default: '1' },
    // Numbers of the faults of the seed's plan that strike; all of them without it.
    faults: { type: 'string' },
    'max-steps': { type: 'string', default: 'Infinity' },
    'stop-at-first': { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
    ci: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

if (values.ci) process.exit((await runCiSeeds((line) => console.log(line))) ? 0 : 1);

const pace = Number(values.pace);
if (!(pace >= LEAST_PACE && pace <= 1))
  throw new Error(`--pace ${values.pace} is not between ${LEAST_PACE} and 1; 1 is as the rates say`);

const plan = chosenPlan();
const report = await runSimulation(plan, {
  stopAtFirst: values['stop-at-first'],
  maxSteps: Number(values['max-steps']),
});
if (values.json) console.log(JSON.stringify({ ...report, cpuSeconds: cpuSeconds() }));
else tell(report);
if (report.violations.length > 0 && !values['no-shrink'] && !values.json) await tellSmaller(plan, report);
process.exit(report.violations.length === 0 ? 0 : 1);

/** Of this process. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function chosenPlan(): FaultPlan {
  const whole = planFaults(Number(values.seed), Number(values.nodes), Number(values.hours), pace);
  if (values.faults === undefined) return whole;
  const chosen = new Set(values.faults.split(',').map(Number));
  return { ...whole, faults: whole.faults.filter(({ index }) => chosen.has(index)) };
}

function tell(shown: SimulationReport): void {
  const faults = Object.entries(shown.faults).map(([fault, count]) => `${count} × ${fault}`);
  const struck = Object.values(shown.faults).reduce((sum, count) => sum + count, 0);
  console.log(
    `seed ${shown.seed}: ${shown.simulatedHours} h, ${shown.workloads} workloads, ${shown.steps} frames`,
  );
  console.log(`${(struck / shown.simulatedHours).toFixed(1)} faults per hour: ${faults.join(', ')}`);
  console.log(`${Object.keys(shown.transitions).length} kinds of transitions`);
  console.log(`trace ${shown.traceHash}`);
  for (const violation of shown.violations) console.log(`VIOLATION ${violation}`);
  if (shown.violations.length === 0) console.log('no violations');
}

async function tellSmaller(failing: FaultPlan, failed: SimulationReport): Promise<void> {
  console.log(`${simCommand(failing)} shows it again; making it smaller …`);
  const smaller = await shrink(failing, failed, {
    run: runSimulation,
    maxRuns: MAX_SHRINK_RUNS,
    log: (line) => console.log(line),
  });
  for (const line of smaller.report.story) console.log(line);
  for (const violation of smaller.report.violations) console.log(`VIOLATION ${violation}`);
  const { faults, hours } = smaller.plan;
  const chosen = faults.map(({ index }) => index).join(',');
  const command = simCommand({ ...smaller.plan, hours: Math.ceil(hours * 10_000) / 10_000 });
  console.log(`${command} --faults ${chosen || 'none'} --stop-at-first`);
}
