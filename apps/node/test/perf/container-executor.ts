// Measures start and end of `true` in a container: our executor beside `docker run --rm` and beside a bare
// dockerode life cycle, in turn on the same engine. Prints medians in ms as one line of JSON. Usage: node
// --conditions=@clawbernetes/source container-executor.ts [runs]
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { promisify } from 'node:util';
import Dockerode from 'dockerode';
import { dockerEngineMissing } from '../../src/testing/docker-engine.ts';
import { until } from '../../src/testing/until.ts';
import { ContainerBench } from '../execution/container-bench.ts';
import type { ContainerExecutor } from '../../src/execution/container-executor.ts';
import type { OutputSink } from '../../src/execution/executor.ts';

const runs = Number(process.argv[2] ?? 15);
const sink: OutputSink = { write: () => true, drained: () => Promise.resolve() };
const run = promisify(execFile);

async function ours(bench: ContainerBench, executor: ContainerExecutor): Promise<void> {
  const launch = bench.launch(['true']);
  await executor.prepare(launch, {});
  await (
    await executor.start(launch, sink)
  ).exited;
}

async function commandLine(bench: ContainerBench): Promise<void> {
  await run('docker', [
    '-H',
    `unix://${bench.engine.socketPath}`,
    'run',
    '--rm',
    '--network',
    'none',
    'busybox',
    'true',
  ]);
}

async function bareDockerode(docker: Dockerode): Promise<void> {
  const options = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
  const container = await docker.createContainer(options);
  const output = await container.attach({ stream: true, stdout: true, stderr: true });
  output.on('data', () => undefined);
  await container.start();
  await container.wait();
  await container.remove();
}

function median(times: readonly number[]): number {
  const sorted = times.toSorted((left, right) => left - right);
  return Number((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN).toFixed(1));
}

async function main(): Promise<void> {
  const missing = dockerEngineMissing();
  if (missing !== undefined) return console.log(JSON.stringify({ skipped: missing }));
  await using bench = await ContainerBench.open();
  await using executor = await bench.executor();
  const docker = new Dockerode({ socketPath: bench.engine.socketPath });
  const candidates = {
    ours: () => ours(bench, executor),
    dockerRun: () => commandLine(bench),
    dockerode: () => bareDockerode(docker),
  };
  const times: Record<keyof typeof candidates, number[]> = { ours: [], dockerRun: [], dockerode: [] };
  const names = Object.keys(candidates) as (keyof typeof candidates)[];
  // The first round warms caches; candidates take turns, so that a busy machine slows all of them.
  for (let round = 0; round <= runs; round += 1) {
    for (const name of names) {
      const start = performance.now();
      await candidates[name]();
      if (round > 0) times[name].push(performance.now() - start);
      // Our executor removes a container after its end was told: nobody waits for it, but it must not burden
      // the others.
      await until('it is removed', async () => (await bench.containers()).length === 0);
    }
  }
  const medians = Object.fromEntries(names.map((name) => [name, median(times[name])]));
  console.log(
    JSON.stringify({
      name: 'container-executor',
      engine: executor.engine.name,
      cpu: cpus()[0]?.model,
      runs,
      medians,
    }),
  );
}

await main();
