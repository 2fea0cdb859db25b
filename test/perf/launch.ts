// Launching: thousands of agents are connected to a gateway process over real sockets, tens of thousands of
// workloads wait behind the limit of their queue, and the limit goes. All of it on this machine: the gateway
// plans, stores and sends orders, agents take them and report, while somebody keeps asking how things are.
//   placementsPerSecond, launchesPerSecond: until nothing waits any more, and until all that was placed runs
//   statusMs, readyMs: how long `fleet.status` and `GET /readyz` took meanwhile; idleStatusMs: afterwards
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchmarkOptions, BenchmarkReport, Figures } from '../../tools/bench/benchmark.ts';
import { BenchFleet } from './support/bench-fleet.ts';
import { cpuSeconds } from './support/process-usage.ts';
import { median, percentile, round } from './support/statistics.ts';

/** Requests under way at once. */
const LANES = 64;
const QUEUE = 'bulk';
/** Runs until the end; the gateway may place it as soon as the queue has no limit. */
const WORK = {
  command: ['sleep'],
  env: { VIRTUAL_MS: 'Infinity' },
  resources: { cpuMilli: 1000 },
  queue: QUEUE,
};
const NO_LIMIT = ['limit'] as const;
const WITHIN_MS = 120_000;
const ASK_EVERY_MS = 20;
const IDLE_ASKS = 20;

const SMALL = { agents: 20, workloads: 100 };
const FULL = { agents: 5000, workloads: 40_000 };

export default async function measure({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  const { agents, workloads } = small ? SMALL : FULL;
  const cores = Math.ceil((1.5 * workloads) / agents);
  await using fleet = await BenchFleet.open({ agents, work: 'virtual', cores });
  await fleet.client.command('queue.create', { queue: QUEUE, limit: { cpuMilli: 0 } });
  await submit(fleet, workloads);
  log(`${agents} agents are connected, ${workloads} workloads wait`);
  const figures = await launch(fleet, workloads);
  const idle = await askAgain(fleet);
  return { results: { agents, workloads, ...figures, idleStatusMs: idle }, peers: {}, ratios: {} };
}

async function submit({ client }: BenchFleet, count: number): Promise<void> {
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (asked < count) {
      asked += 1;
      await client.run(WORK);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function launch(fleet: BenchFleet, workloads: number): Promise<Figures> {
  const [statusMs, readyMs]: [number[], number[]] = [[], []];
  const cpuBefore = cpuSeconds(fleet.gatewayPid);
  await fleet.client.command('queue.update', { queue: QUEUE, unset: [...NO_LIMIT] });
  const startMs = performance.now();
  const pinging = new AbortController();
  const pings = ping(fleet.url, pinging.signal, readyMs);
  let placedMs: number | undefined;
  for (let running = 0; running < workloads;) {
    const counts = await timed(statusMs, () => fleet.client.command('fleet.status', {}));
    const sinceMs = performance.now() - startMs;
    running = counts.workloads['running'] ?? 0;
    if ((counts.workloads['queued'] ?? 0) === 0) placedMs ??= sinceMs;
    if (sinceMs > WITHIN_MS) throw new Error(`${running} of ${workloads} workloads run after ${sinceMs} ms.`);
    await pause(ASK_EVERY_MS);
  }
  const tookMs = performance.now() - startMs;
  pinging.abort();
  await pings;
  return {
    placementsPerSecond: round((workloads * 1000) / (placedMs ?? tookMs), 0),
    launchesPerSecond: round((workloads * 1000) / tookMs, 0),
    gatewayCpuSeconds: round(cpuSeconds(fleet.gatewayPid) - cpuBefore),
    statusMs: spread(statusMs),
    readyMs: spread(readyMs),
  };
}

async function ping(url: string, signal: AbortSignal, tookMs: number[]): Promise<void> {
  while (!signal.aborted) {
    await timed(tookMs, async () => (await fetch(new URL('/readyz', url))).arrayBuffer());
    await pause(ASK_EVERY_MS);
  }
}

async function askAgain({ client }: BenchFleet): Promise<Figures> {
  const tookMs: number[] = [];
  for (let count = 0; count < IDLE_ASKS; count += 1) {
    await timed(tookMs, () => client.command('fleet.status', {}));
    await pause(ASK_EVERY_MS);
  }
  return spread(tookMs);
}

async function timed<T>(tookMs: number[], ask: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  const answer = await ask();
  tookMs.push(performance.now() - startMs);
  return answer;
}

function spread(ms: readonly number[]): Figures {
  return { p50: round(median(ms), 1), p99: round(percentile(ms, 0.99), 1), worst: round(Math.max(...ms), 1) };
}
