// Many connected agents with metrics every 10 s: what they cost the gateway, and how fast it still answers.
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchmarkOptions, BenchmarkReport, Figures } from '../../tools/bench/benchmark.ts';
import { BenchFleet } from './support/bench-fleet.ts';
import { cpuSeconds, residentMib } from './support/process-usage.ts';
import { percentile, round } from './support/statistics.ts';

export default async function agents({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  const sizes = small ? [50] : [1000, 5000];
  const seconds = small ? 3 : 60;
  const steps: Record<string, Figures> = {};
  for (const size of sizes) {
    steps[`agents${size}`] = await measure(size, seconds, log);
  }
  const largest = steps[`agents${sizes.at(-1)}`] ?? {};
  return { results: { ...largest, steps }, peers: {}, ratios: {} };
}

async function measure(count: number, seconds: number, log: (line: string) => void): Promise<Figures> {
  await using fleet = await BenchFleet.open({ agents: count, work: 'virtual', cores: 8 });
  log(`${count} agents are connected`);
  await pause(2000);
  const [cpuBefore, startMs] = [cpuSeconds(fleet.gatewayPid), performance.now()];
  const latencies: number[] = [];
  while (performance.now() - startMs < seconds * 1000) {
    latencies.push(await timed(() => fleet.client.command('gpu.list', { node: 'farm-0' })));
    await pause(50);
  }
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  const commands = await Promise.all(
    Array.from({ length: 20 }, () =>
      timed(() => fleet.client.command('node.capabilities', { node: 'farm-0' })),
    ),
  );
  const { connected } = (await fleet.client.command('fleet.status', {})).nodes;
  if (connected !== count) throw new Error(`${connected} of ${count} agents are still connected`);
  return {
    agents: connected,
    gatewayCpuCores: round((cpuSeconds(fleet.gatewayPid) - cpuBefore) / elapsedSeconds, 3),
    gatewayRssMiB: round(residentMib(fleet.gatewayPid)),
    commandMs: { p50: round(percentile(latencies, 0.5)), p99: round(percentile(latencies, 0.99)) },
    forwardedCommandMs: { p99: round(percentile(commands, 0.99)) },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
