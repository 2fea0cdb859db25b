// Measures launches of /bin/true through the supervisor's socket, beside bare spawning, and its memory.
// Run: node --conditions=@clawbernetes/source apps/node/test/perf/supervisor.ts [launches]
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isTerminal } from '@clawbernetes/protocol/attempt';
import { launchOf, SupervisorBench } from '../supervisor/bench.ts';

/** Launches that are not yet ended at any time: as many as a busy node has. */
const CONCURRENT = 16;

const launches = Number(process.argv[2] ?? 1000);
await using bench = new SupervisorBench();
const supervisor = await bench.connect();
await supervisor.limitations('process');
const idleRssMiB = rssMiB(supervisor.pid ?? 0);

const ended = new Map<string, () => void>();
supervisor.onStatus(({ attemptId, state }) => {
  if (isTerminal(state)) ended.get(attemptId)?.();
});

const bareBefore = process.cpuUsage();
const barePerSecond = await perSecond(bareSpawn);
const { user, system } = process.cpuUsage(bareBefore);
const cpuBefore = cpuMs(supervisor.pid ?? 0);
const supervisedPerSecond = await perSecond(async (index) => {
  const attemptId = `perf-${index}`;
  const end = new Promise<void>((resolve) => ended.set(attemptId, resolve));
  await supervisor.launch(launchOf(attemptId, ['/bin/true']));
  await end;
  ended.delete(attemptId);
});
const supervisorCpuMs = (cpuMs(supervisor.pid ?? 0) - cpuBefore) / launches;
const busyRssMiB = rssMiB(supervisor.pid ?? 0);
await supervisor.forget((await supervisor.list()).map(({ attemptId }) => attemptId));

// CPU of the parent per launch, without its children: comparable on a busy machine too.
const results = { launches, supervisedPerSecond, supervisorCpuMs, idleRssMiB, busyRssMiB };
const peers = { barePerSecond, bareCpuMs: (user + system) / 1000 / launches };
console.log(JSON.stringify({ name: 'supervisor', results, peers }));

async function perSecond(work: (index: number) => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < launches; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
  return Math.round((launches / (performance.now() - startedMs)) * 1000);
}

function bareSpawn(): Promise<void> {
  const child = spawn('/bin/true', { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  return new Promise((resolve) => child.once('close', () => resolve()));
}

function rssMiB(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return Math.round((pages * 4096) / 2 ** 20);
}

/** User and system time; a clock tick is 10 ms on Linux. */
function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
