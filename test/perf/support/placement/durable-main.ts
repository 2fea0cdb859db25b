// The process that is killed: a fleet on SQLite whose nodes all have a simulated agent. It places work as
// fast as it can and says, after each batch, how many placements agents were told of, which they are once
// these are durable, and when. Options as JSON in the first argument.
import { Fleet, fleetSchema } from '@clawbernetes/fleet';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { openSqliteStore } from '@clawbernetes/storage';
import { GPUS_OF_BENCH_NODE, joinBenchNode } from '../bench-node.ts';
import { SimulatedAgents } from './simulated-agents.ts';

export interface DurableOptions {
  readonly path: string;
  readonly nodes: number;
  /** So much has been submitted before any node takes work; else work arrives as fast as it is placed. */
  readonly waiting: number;
}

/** Submitted but not placed durably at a time; in bursts of so many. */
const MAX_OUTSTANDING = 4000;
const BURST = 250;

const { path, nodes, waiting } = JSON.parse(process.argv[2] ?? '{}') as DurableOptions;
const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
const store = await openSqliteStore(base, { path, schema: fleetSchema });
let submitted = 0;
const agents = new SimulatedAgents();
const listeners = { order: agents.take, ended: () => undefined, removed: () => undefined };
const fleet = await Fleet.open(
  { ...base, store, listeners },
  { maxUnstoredRows: 100_000, maxQueued: 2 * MAX_OUTSTANDING + waiting },
);

const ids: string[] = [];
for (let index = 0; index < nodes; index += 1) {
  const id = joinBenchNode(fleet, index, { zone: `z${index % 4}` }, { hasShown: waiting === 0 });
  agents.connect(id);
  ids.push(id);
  if (index % 500 === 499) await fleet.durable();
}
await fleet.durable();
agents.beat(fleet);

const amount = { gpus: 1, cpuMilli: 500, memoryMib: 1024 };
const SPECS = [
  { resources: amount },
  { resources: { ...amount, gpuModels: ['H100'] } },
  { resources: amount, nodeSelector: { zone: 'z1' } },
  { resources: { ...amount, cpuMilli: 1000 } },
].map((spec) => workloadSpecSchema.parse({ command: ['true'], ...spec }));

function submit(): void {
  const spec = SPECS[submitted % SPECS.length];
  if (spec) fleet.intake.submit({ namespace: 'default', spec });
  submitted += 1;
}

while (submitted < waiting) {
  submit();
  if (submitted % BURST === 0) await fleet.durable();
}
if (waiting > 0) for (const id of ids) fleet.registry.listed(id, { reconciled: true });

const enough = waiting > 0 ? waiting : nodes * GPUS_OF_BENCH_NODE;
for (let said = 0; said < enough;) {
  if (waiting === 0)
    for (let index = 0; index < BURST && submitted - agents.started < MAX_OUTSTANDING; index += 1) submit();
  if (agents.started > said) process.stdout.write(`${agents.started} ${performance.now()}\n`);
  said = agents.started;
  await new Promise((resolve) => setImmediate(resolve));
}
