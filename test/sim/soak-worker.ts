// A process of `npm run soak`: runs the plans that it is sent, one after the other, and answers with reports.
// Compiling takes as long as a simulated hour or two, so one process runs many seeds.
import { planFaults } from './fault-plan.ts';
import { runSimulation } from './run-simulation.ts';
import { SOAK_NODES, type SeedPlan, type SeedReport } from './soak-process.ts';

let before = process.cpuUsage();

process.on('message', (message) => void run(message as SeedPlan));

async function run({ seed, hours, pace }: SeedPlan): Promise<void> {
  const report = await runSimulation(planFaults(seed, SOAK_NODES, hours, pace));
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  process.send?.({ ...report, cpuSeconds: (user + system) / 1e6 } satisfies SeedReport);
}
