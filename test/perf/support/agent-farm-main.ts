// The process in which a benchmark's agents live: options as JSON on the first line of standard input,
// "ready" when all are taken in; then, for each further line, the workloads that live there, as JSON.
import { createInterface } from 'node:readline';
import { openAgentFarm, type AgentFarmOptions } from '@clawbernetes/node/testing';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first: IteratorResult<string, unknown> = await lines.next();
const farm = await openAgentFarm(JSON.parse(String(first.value)) as AgentFarmOptions);
process.once('SIGTERM', () => void farm[Symbol.asyncDispose]().then(() => process.exit(0)));
process.stdout.write('ready\n');
while ((await lines.next()).done !== true) process.stdout.write(`${JSON.stringify(farm.liveWorkloads())}\n`);
