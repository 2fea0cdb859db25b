// Idle memory of what `clawbernetes up` leaves running: the node's agent with its supervisor, and the
// gateway.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openClient } from '@clawbernetes/sdk';
import type { BenchmarkOptions, BenchmarkReport } from '../../tools/bench/benchmark.ts';
import { readAccess, startGateway } from './support/bench-fleet.ts';
import { residentMib } from './support/process-usage.ts';
import { round } from './support/statistics.ts';

const BIN = path.resolve(import.meta.dirname, '..', '..', 'apps', 'node', 'bin', 'clawnode.js');
/** Published by k3s for its agent, MiB. */
const K3S_AGENT_MIB = 275;

export default async function footprint({ small }: BenchmarkOptions): Promise<BenchmarkReport> {
  const home = await mkdtemp(path.join(tmpdir(), 'claw-footprint-'));
  const gateway = startGateway(home);
  const access = await readAccess(home);
  const client = openClient({}, access);
  const token = path.join(home, 'join.token');
  await writeFile(token, (await client.command('node.token', {})).token, { mode: 0o600 });
  const args = ['--home', home, '--gateway', access.url, '--name', 'footprint', '--join-token-file', token];
  const node = spawn(process.execPath, [BIN, ...args, '--stop-workloads-on-exit', '--log-level', 'error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    await connected(client);
    // After work, not before: what was only ever started is smaller than what has run.
    for (let job = 0; job < 5; job += 1) await client.runToEnd({ command: ['/bin/true'] });
    await pause(small ? 2_000 : 30_000);
    const lock = await readFile(path.join(home, 'node', 'supervisor', 'supervisor.lock'), 'utf8');
    const supervisorPid = (JSON.parse(lock) as { pid: number }).pid;
    const agentMib = residentMib(node.pid ?? 0);
    const supervisorMib = residentMib(supervisorPid);
    const gatewayMib = residentMib(gateway.pid ?? 0);
    return {
      results: {
        agentRssMiB: round(agentMib + supervisorMib),
        agentAloneRssMiB: round(agentMib),
        supervisorRssMiB: round(supervisorMib),
        gatewayRssMiB: round(gatewayMib),
      },
      peers: { k3sAgentMiBPublished: K3S_AGENT_MIB },
      ratios: { ofK3sAgent: round((agentMib + supervisorMib) / K3S_AGENT_MIB, 2) },
    };
  } finally {
    for (const child of [node, gateway]) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    await rm(home, { recursive: true, force: true });
  }
}

async function connected(client: ReturnType<typeof openClient>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if ((await client.command('fleet.status', {})).nodes.schedulable > 0) return;
    await pause(100);
  }
  throw new Error('the node did not connect');
}
