// Measures starts and ends of /bin/true per second: the process executor in each mode beside bare spawning
// and bare bubblewrap, in the same run. Usage: node --conditions=@clawbernetes/source process-executor.ts
// [jobs] [at once]
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { workloadSpecSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import type { OutputSink } from '../../src/execution/executor.ts';
import { openProcessExecutor, type ProcessExecutor } from '../../src/execution/process-executor.ts';

const jobs = Number(process.argv[2] ?? 300);
const atOnce = Number(process.argv[3] ?? 4);
const ROUNDS = 6;
const slice = Math.ceil(jobs / ROUNDS);

const BWRAP_ARGS =
  '--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent --new-session ' +
  '--cap-drop ALL ' +
  '--ro-bind /usr /usr --ro-bind /etc /etc --symlink usr/bin /bin --symlink usr/lib /lib ' +
  '--symlink usr/lib64 /lib64 ' +
  '--proc /proc --dev /dev --tmpfs /tmp';

interface Rate {
  readonly perSecond: number;
  /** CPU of this process alone, ms per job. */
  readonly ownCpuMs: number;
}

type Job = () => Promise<unknown>;

/** Runs the kinds of job in turn, a slice of each, so that other load on the host hits all of them alike. */
async function measure<Name extends string>(kinds: Record<Name, Job>): Promise<Record<Name, Rate>> {
  const totals = new Map<string, { ms: number; cpuMs: number }>();
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, job] of Object.entries<Job>(kinds)) {
      const total = totals.get(name) ?? { ms: 0, cpuMs: 0 };
      const spent = await runSlice(job);
      // The first round warms up.
      if (round > 0) totals.set(name, { ms: total.ms + spent.ms, cpuMs: total.cpuMs + spent.cpuMs });
    }
  }
  const count = ROUNDS * slice;
  const rates = [...totals].map(([name, { ms, cpuMs }]) => {
    return [
      name,
      { perSecond: Math.round((count / ms) * 1000), ownCpuMs: Number((cpuMs / count).toFixed(2)) },
    ];
  });
  return Object.fromEntries(rates) as Record<Name, Rate>;
}

async function runSlice(job: Job): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  let left = slice;
  const worker = async (): Promise<void> => {
    while ((left -= 1) >= 0) await job();
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - start, cpuMs: (user + system) / 1000 };
}

function bareSpawn(program: string, args: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.resume();
    child.stderr.resume();
    child.once('error', reject);
    child.once('close', resolve);
  });
}

const sink: OutputSink = { write: () => true, drained: () => Promise.resolve() };
let attempts = 0;

function run(executor: ProcessExecutor, input: Partial<WorkloadSpecInput>): () => Promise<void> {
  const spec = workloadSpecSchema.parse({ command: ['/bin/true'], ...input });
  return async () => {
    attempts += 1;
    const ids = {
      attemptId: `attempt-${attempts}`,
      workloadId: `workload-${attempts}`,
      namespace: 'default',
    };
    const execution = await executor.start(
      { ...ids, epoch: { term: 1, counter: 1 }, spec, devices: [] },
      sink,
    );
    const exit = await execution.exited;
    if (exit.exitCode !== 0) throw new Error(`a job failed: ${JSON.stringify(exit)}`);
  };
}

async function open(scratch: string, useCgroups: boolean): Promise<ProcessExecutor> {
  return openProcessExecutor(
    { clock: systemClock, logger: silentLogger },
    {
      scratch: join(scratch, String(useCgroups)),
      policy: { allowUnsandboxed: true },
      cgroupName: `clawbernetes-perf-${process.pid}`,
      useCgroups,
    },
  );
}

const scratch = await mkdtemp(join(tmpdir(), 'clawbernetes-perf-'));
const grouped = await open(scratch, true);
const ungrouped = await open(scratch, false);
const limits = { resources: { cpuMilli: 1000, memoryMib: 64 } };
const {
  spawn: bareRate,
  bubblewrap,
  ...results
} = await measure({
  spawn: () => bareSpawn('/bin/true', []),
  bare: run(grouped, { sandbox: 'off' }),
  bareWithoutCgroups: run(ungrouped, { sandbox: 'off' }),
  bareWithLimits: run(grouped, { sandbox: 'off', ...limits }),
  bubblewrap: () => bareSpawn('bwrap', [...BWRAP_ARGS.split(' '), '/bin/true']),
  sandboxed: run(grouped, { sandbox: 'required' }),
  sandboxedWithoutCgroups: run(ungrouped, { sandbox: 'required' }),
  sandboxedWithLimits: run(grouped, { sandbox: 'required', ...limits }),
});
const peers = { spawn: bareRate, bubblewrap };
const machine = { cores: availableParallelism(), model: cpus()[0]?.model, node: process.version };
console.log(JSON.stringify({ name: 'process-executor', machine, jobs, atOnce, results, peers }, null, 1));
await grouped[Symbol.asyncDispose]();
await ungrouped[Symbol.asyncDispose]();
await rm(scratch, { recursive: true });
