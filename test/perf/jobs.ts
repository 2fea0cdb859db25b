// Jobs per second, end to end: submitted over the API by one client, placed, run as a process each, reported
// and stored.
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import type { BenchmarkOptions, BenchmarkReport } from '../../tools/bench/benchmark.ts';
import { BenchFleet } from './support/bench-fleet.ts';
import { BARE_BUBBLEWRAP, hasBubblewrap, bareProcessesPerSecond } from './support/peers.ts';
import { slurmJobsPerSecond } from './support/slurm.ts';
import { median, round } from './support/statistics.ts';

const AGENTS = 64;
/** Requests of the client under way at once. */
const LANES = 64;
const PARALLEL_SPAWNS = 4;

export default async function jobs({ small, log }: BenchmarkOptions): Promise<BenchmarkReport> {
  const count = small ? 100 : 1000;
  const rounds = small ? 1 : 5;
  const plain: number[] = [];
  const sandboxed: number[] = [];
  {
    await using fleet = await BenchFleet.open({ agents: small ? 4 : AGENTS, work: 'real', cores: 2 });
    await runJobs(fleet, jobSpec('off'), Math.ceil(count / 4));
    for (let round_ = 0; round_ < rounds; round_ += 1) {
      plain.push(await runJobs(fleet, jobSpec('off'), count));
      log(`${Math.round(plain.at(-1) ?? 0)} plain jobs/s`);
      if (!hasBubblewrap()) continue;
      sandboxed.push(await runJobs(fleet, jobSpec('required'), count));
      log(`${Math.round(sandboxed.at(-1) ?? 0)} sandboxed jobs/s`);
    }
  }
  const spawnPerSecond = await bareProcessesPerSecond(['/bin/true'], count, PARALLEL_SPAWNS);
  const bubblewrapPerSecond = hasBubblewrap()
    ? await bareProcessesPerSecond(BARE_BUBBLEWRAP, count, PARALLEL_SPAWNS)
    : null;
  const slurmPerSecond = await slurmJobsPerSecond(count, log);
  const jobsPerSecond = median(plain);
  const sandboxedJobsPerSecond = sandboxed.length > 0 ? median(sandboxed) : null;
  return {
    results: {
      jobs: count,
      jobsPerSecond: round(jobsPerSecond),
      sandboxedJobsPerSecond: sandboxedJobsPerSecond === null ? null : round(sandboxedJobsPerSecond),
    },
    peers: {
      spawnPerSecond: round(spawnPerSecond),
      bubblewrapPerSecond: bubblewrapPerSecond === null ? null : round(bubblewrapPerSecond),
      slurmPerSecond: slurmPerSecond === undefined ? null : round(slurmPerSecond),
    },
    ratios: {
      ofSpawn: round(jobsPerSecond / spawnPerSecond, 2),
      sandboxedOfBubblewrap: ratio(sandboxedJobsPerSecond, bubblewrapPerSecond),
      ofSlurm: ratio(jobsPerSecond, slurmPerSecond ?? null),
    },
  };
}

function ratio(value: number | null, peer: number | null): number | null {
  return value === null || peer === null ? null : round(value / peer, 2);
}

function jobSpec(sandbox: 'off' | 'required'): WorkloadSpecInput {
  return { command: ['/bin/true'], sandbox };
}

/** Every job is asked for and waited for; one that does not succeed ends the benchmark. */
async function runJobs({ client }: BenchFleet, spec: WorkloadSpecInput, count: number): Promise<number> {
  const startMs = performance.now();
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (asked < count) {
      asked += 1;
      const { state, message } = await client.runToEnd(spec);
      if (state !== 'succeeded') throw new Error(`a job ${state}: ${message}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return (count * 1000) / (performance.now() - startMs);
}
