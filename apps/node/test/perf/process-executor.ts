// Measures starts and ends of /bin/true per second: the process executor in each mode beside bare spawning and bare
// bubblewrap, in the same run. Usage: node --conditions=@clawbernetes/source process-executor.ts [jobs] [at once]
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

const BWRAP_ARGS =
  '--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent --new-session --cap-drop ALL ' +
  '--ro-bind /usr /usr --ro-bind /etc /etc --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 ' +
  '--proc /proc --dev /dev --tmpfs /tmp';

interface Rate {
  readonly perSecond: number;
  /** CPU of this process alone, ms per job. */
  readonly ownCpuMs: number;
}

async function measure(job: (index: number) => Promise<unknown>): Promise<Rate> {
  let index = 0;
  const worker = async (): Promise<void> => {
    while (index < jobs) await job((index += 1));
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: atOnce }, worker));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: Math.round(jobs / seconds),
    ownCpuMs: Number(((user + system) / 1000 / jobs).toFixed(2)),
  };
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
await measure(() => bareSpawn('/bin/true', []));
const peers = {
  spawn: await measure(() => bareSpawn('/bin/true', [])),
  bubblewrap: await measure(() => bareSpawn('bwrap', [...BWRAP_ARGS.split(' '), '/bin/true'])),
};
const results = {
  bare: await measure(run(grouped, { sandbox: 'off' })),
  bareWithoutCgroups: await measure(run(ungrouped, { sandbox: 'off' })),
  bareWithLimits: await measure(
    run(grouped, { sandbox: 'off', resources: { cpuMilli: 1000, memoryMib: 64 } }),
  ),
  sandboxed: await measure(run(grouped, { sandbox: 'required' })),
  sandboxedWithoutCgroups: await measure(run(ungrouped, { sandbox: 'required' })),
  sandboxedWithLimits: await measure(
    run(grouped, { sandbox: 'required', resources: { cpuMilli: 1000, memoryMib: 64 } }),
  ),
};
const machine = { cores: availableParallelism(), model: cpus()[0]?.model, node: process.version };
console.log(JSON.stringify({ name: 'process-executor', machine, jobs, atOnce, results, peers }, null, 1));
await grouped[Symbol.asyncDispose]();
await ungrouped[Symbol.asyncDispose]();
await rm(scratch, { recursive: true });
