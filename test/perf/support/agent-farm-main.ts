// The process in which a benchmark's agents live: options as JSON on standard input, "ready" when all are
// taken in.
import { openAgentFarm, type AgentFarmOptions } from '@clawbernetes/node/testing';

let input = '';
process.stdin.setEncoding('utf8');
for await (const chunk of process.stdin) {
  input += String(chunk);
  if (input.endsWith('\n')) break;
}
const farm = await openAgentFarm(JSON.parse(input) as AgentFarmOptions);
process.stdout.write('ready\n');
process.once('SIGTERM', () => void farm[Symbol.asyncDispose]().then(() => process.exit(0)));
