// The process that is killed: a fleet on SQLite that places work as fast as it can and says, after each
// batch, how many placements are durable and when. Options as JSON in the first argument.
import { Fleet, fleetSchema } from '@clawbernetes/fleet';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { workloadSpecSchema, type NodeInventory } from '@clawbernetes/protocol';
import { openSqliteStore } from '@clawbernetes/storage';

export interface DurableOptions {
  readonly path: string;
  readonly nodes: number;
}

const GPUS = 8;
/** Submitted but not placed durably at a time; in bursts of so many. */
const MAX_OUTSTANDING = 4000;
const BURST = 250;

const { path, nodes } = JSON.parse(process.argv[2] ?? '{}') as DurableOptions;
const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
const store = await openSqliteStore(base, { path, schema: fleetSchema });
let submitted = 0;
let durable = 0;
const listeners = { order: () => void (durable += 1), ended: () => undefined, removed: () => undefined };
const fleet = await Fleet.open(
  { ...base, store, listeners },
  { maxUnstoredRows: 100_000, maxQueued: 2 * MAX_OUTSTANDING },
);

function inventory(index: number): NodeInventory {
  return {
    hostname: `n${index}`,
    os: 'Linux',
    kernel: '6',
    architecture: 'x64',
    cpu: { model: 'simulated', cores: 16, sockets: 1, numaNodes: 2 },
    memoryMib: 65_536,
    disk: { path: '/', totalMib: 1, freeMib: 1 },
    gpus: Array.from({ length: GPUS }, (_, place) => ({
      id: `n${index}-gpu-${place}`,
      index: place,
      vendor: 'nvidia',
      model: 'NVIDIA H100 80GB HBM3',
      memoryMib: 81_559,
      numaNode: place < GPUS / 2 ? 0 : 1,
      health: { state: 'healthy' },
      simulated: true,
    })),
    gpuLinks: [],
    executors: [{ kind: 'process', available: true, sandbox: 'bubblewrap', limitations: [] }],
    probes: [],
  };
}

function join(index: number): void {
  const id = `node-${index}`;
  fleet.registry.register({
    ...{ id, publicKey: `key-${index}`, fingerprint: `fp-${index}`, name: `n${index}`, agentVersion: '0' },
    ...{ labels: { zone: `z${index % 4}` }, inventory: inventory(index), commands: [], preApproved: true },
  });
  fleet.registry.connected(id);
  fleet.registry.listed(id, { reconciled: true });
}

for (let index = 0; index < nodes; index += 1) {
  join(index);
  if (index % 500 === 499) await fleet.durable();
}
await fleet.durable();

const amount = { gpus: 1, cpuMilli: 500, memoryMib: 1024 };
const SPECS = [
  { resources: amount },
  { resources: { ...amount, gpuModels: ['H100'] } },
  { resources: amount, nodeSelector: { zone: 'z1' } },
  { resources: { ...amount, cpuMilli: 1000 } },
].map((spec) => workloadSpecSchema.parse({ command: ['true'], ...spec }));

let said = 0;
while (submitted < nodes * GPUS * 2) {
  for (let index = 0; index < BURST && submitted - durable < MAX_OUTSTANDING; index += 1) {
    const spec = SPECS[submitted % SPECS.length];
    if (spec) fleet.intake.submit({ namespace: 'default', spec });
    submitted += 1;
  }
  if (durable > said) process.stdout.write(`${durable} ${performance.now()}\n`);
  said = durable;
  await new Promise((resolve) => setImmediate(resolve));
}
