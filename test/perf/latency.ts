// One job at a time on an idle fleet: what submission, placement, start, report and storage add to the bare
// process.
import { spawn } from 'node:child_process';
import path from 'node:path';
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import type { BenchmarkOptions, BenchmarkReport, Figures } from '../../tools/bench/benchmark.ts';
import { BenchFleet } from './support/bench-fleet.ts';
import { openBenchEngine } from './support/bench-engine.ts';
import { BARE_BUBBLEWRAP, hasBubblewrap, processMs } from './support/peers.ts';
import { median, percentile, round } from './support/statistics.ts';

const CLI = path.resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'bin', 'clawbernetes.js');

export default async function latency({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  const rounds = small ? 10 : 200;
  const few = small ? 2 : 20;
  await using engine = await openBenchEngine();
  await using fleet = await BenchFleet.open({
    agents: 1,
    work: 'real',
    cores: 2,
    ...(engine ? { dockerSocket: engine.socketPath } : {}),
  });
  const bare = await repeat(rounds, () => processMs(['/bin/true']));
  const plain = await repeat(rounds, () => runOnce(fleet, { command: ['/bin/true'], sandbox: 'off' }));
  log(`SDK, plain: ${round(median(plain))} ms, bare ${round(median(bare))} ms`);
  const sandboxed = hasBubblewrap()
    ? await repeat(rounds, () => runOnce(fleet, { command: ['/bin/true'], sandbox: 'required' }))
    : [];
  const bareSandboxed = hasBubblewrap() ? await repeat(rounds, () => processMs(BARE_BUBBLEWRAP)) : [];
  const cli = await repeat(few, () => runCli(fleet));
  log(`CLI: ${round(median(cli))} ms`);
  const container = engine
    ? await repeat(few, () => runOnce(fleet, { image: engine.image, command: ['true'] }))
    : [];
  const dockerRun = engine ? await repeat(few, () => processMs(engine.dockerRun(['true']))) : [];
  return {
    results: {
      sdk: { p50Ms: round(median(plain)), overheadMs: overhead(plain, bare) },
      sdkSandboxed: { p50Ms: round(median(sandboxed)), overheadMs: overhead(sandboxed, bareSandboxed) },
      cli: { p50Ms: round(median(cli)), overheadMs: overhead(cli, bare) },
      container: { p50Ms: round(median(container)), overheadMs: overhead(container, dockerRun) },
    },
    peers: {
      bareMs: round(median(bare)),
      bareBubblewrapMs: round(median(bareSandboxed)),
      dockerRunMs: round(median(dockerRun)),
    },
    ratios: { containerOfDockerRun: round(median(container) / median(dockerRun), 2) },
  };
}

/** Against the median of the bare thing: its own scatter is not our overhead. */
function overhead(samples: readonly number[], bare: readonly number[]): Figures {
  const base = median(bare);
  return { p50: round(median(samples) - base), p99: round(percentile(samples, 0.99) - base) };
}

async function repeat(rounds: number, sample: () => Promise<number>): Promise<readonly number[]> {
  await sample();
  const samples = [];
  for (let done = 0; done < rounds; done += 1) samples.push(await sample());
  return samples;
}

async function runOnce({ client }: BenchFleet, spec: WorkloadSpecInput): Promise<number> {
  const startMs = performance.now();
  const { state, message } = await client.runToEnd(spec);
  if (state !== 'succeeded') throw new Error(`a job ${state}: ${message}`);
  return performance.now() - startMs;
}

/** The command as a user types it: its own start included. */
async function runCli({ folder, url }: BenchFleet): Promise<number> {
  const startMs = performance.now();
  const env = { ...process.env, CLAWBERNETES_HOME: folder, CLAWBERNETES_GATEWAY: url };
  const child = spawn(process.execPath, [CLI, 'run', '--sandbox', 'off', '--', '/bin/true'], {
    stdio: 'ignore',
    env,
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`clawbernetes run ended with ${code}`);
  return performance.now() - startMs;
}
