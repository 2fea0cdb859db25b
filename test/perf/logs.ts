// Following a log live: bytes per second from the workload's pipe to the client, and what was dropped on the
// way.
import type { BenchmarkOptions, BenchmarkReport } from '../../tools/bench/benchmark.ts';
import { BenchFleet } from './support/bench-fleet.ts';
import { processMs } from './support/peers.ts';
import { round } from './support/statistics.ts';

const MIB = 1024 * 1024;

export default async function logs({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  await using fleet = await BenchFleet.open({ agents: 1, work: 'real', cores: 2 });
  const bytes = (small ? 8 : 512) * MIB;
  const startMs = performance.now();
  const { id } = await fleet.client.command('workload.run', {
    spec: { command: ['head', '-c', String(bytes), '/dev/zero'], sandbox: 'off' },
  });
  let received = 0;
  let notices = 0;
  for await (const { stream, bytes: content } of fleet.client.followLogs(id, {})) {
    if (stream === 'stdout') received += content.length;
    if (stream === 'notice') notices += 1;
  }
  const seconds = (performance.now() - startMs) / 1000;
  log(`${round(received / MIB)} MiB followed in ${round(seconds)} s`);
  const pipeMs = await processMs(['sh', '-c', `head -c ${bytes} /dev/zero | cat > /dev/null`]);
  const mibPerSecond = received / MIB / seconds;
  return {
    results: {
      followMiBPerSecond: round(mibPerSecond),
      printedMiB: bytes / MIB,
      receivedMiB: round(received / MIB),
      droppedMiB: round((bytes - received) / MIB),
      dropNotices: notices,
      workloadExitCode: (await fleet.client.command('workload.inspect', { workload: id })).exitCode ?? null,
    },
    peers: { pipeMiBPerSecond: round((bytes / MIB / pipeMs) * 1000) },
    ratios: {},
  };
}
