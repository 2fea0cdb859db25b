// `npm run sim -- --seed <n> --hours <h> [--json]`: the whole system under a virtual clock, network and disk.
import { parseArgs } from 'node:util';
import { runSimulation } from './run-simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    hours: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

const report = await runSimulation(Number(values.seed), Number(values.hours));
if (values.json) {
  console.log(JSON.stringify(report));
} else {
  const faults = Object.entries(report.faults).map(([fault, count]) => `${count} × ${fault}`);
  console.log(
    `seed ${report.seed}: ${report.simulatedHours} h, ${report.workloads} workloads, ${report.steps} frames`,
  );
  console.log(`faults: ${faults.join(', ')}`);
  console.log(`trace ${report.traceHash}`);
  for (const violation of report.violations) console.log(`VIOLATION ${violation}`);
  console.log(
    report.violations.length === 0 ? 'no violations' : `npm run sim -- --seed ${report.seed} shows it again`,
  );
}
process.exit(report.violations.length === 0 ? 0 : 1);
