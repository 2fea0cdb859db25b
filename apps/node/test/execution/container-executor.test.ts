// Shows on a real Docker engine what only containers do: images, limits, mounts, signals, floods, refusals.
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ContainerExecutor, openContainerExecutor } from '../../src/execution/container-executor.ts';
import { containerName } from '../../src/execution/container/container-spec.ts';
import type { ExecutionExit, Launch } from '../../src/execution/executor.ts';
import { dockerEngineMissing } from '../../src/testing/docker-engine.ts';
import { RecordingSink } from '../../src/testing/recording-sink.ts';
import { until } from '../../src/testing/until.ts';
import { ContainerBench } from './container-bench.ts';

const missing = dockerEngineMissing();

describe.skipIf(missing !== undefined)(
  missing ? `container executor [skipped: ${missing}]` : 'container executor',
  () => {
    let bench: ContainerBench;
    let executor: ContainerExecutor;
    beforeAll(async () => {
      bench = await ContainerBench.open();
      executor = await bench.executor();
    });
    afterAll(async () => {
      await executor[Symbol.asyncDispose]();
      await bench[Symbol.asyncDispose]();
    });

    const finish = async (launch: Launch): Promise<{ exit: ExecutionExit; sink: RecordingSink }> => {
      const sink = new RecordingSink();
      await executor.prepare(launch, {});
      const execution = await executor.start(launch, sink);
      return { exit: await execution.exited, sink };
    };
    const inspect = async (launch: Launch): Promise<ReturnType<typeof bench.api.call>> =>
      bench.api.call({ method: 'GET', path: `/containers/${containerName(launch.attemptId)}/json` });

    it('the engine names itself and the version that both speak', () => {
      expect(executor.engine).toMatchObject({ flavour: 'docker', name: expect.stringMatching(/^Docker \d/) });
      expect(executor.engine.apiVersion).toMatch(/^1\.\d+$/);
    });

    it('an image may bring its own command', async () => {
      const { exit } = await finish(bench.launch([]));
      expect(exit.exitCode).toBe(0);
    });

    it('limits and restrictions reach the engine', async () => {
      const launch = bench.launch(['sleep', '300'], {
        resources: { memoryMib: 64, cpuMilli: 250 },
        mounts: [{ source: '/usr', target: '/host-usr' }],
      });
      const execution = await executor.start(launch, new RecordingSink());
      const host = (await inspect(launch)).at('HostConfig');
      expect(host.at('Memory').number()).toBe(64 * 1024 * 1024);
      expect(host.at('MemorySwap').number()).toBe(64 * 1024 * 1024);
      expect(host.at('NanoCpus').number()).toBe(250_000_000);
      expect(host.at('PidsLimit').number()).toBe(100);
      const status = await execution.exec({
        command: ['sh', '-c', 'grep NoNewPrivs /proc/1/status; touch /host-usr/x 2>&1; hostname > /dev/null'],
        env: {},
        timeoutMs: 5000,
        maxOutputBytes: 1000,
      });
      const text = Buffer.from(status.stdout).toString();
      expect(text).toMatch(/NoNewPrivs:\s+1/);
      expect(text).toMatch(/Read-only file system/);
      execution.stop(0, 'stopped');
      await execution.exited;
    });

    it('a program that leaves the stop signal to its default ends at once, not after the grace', async () => {
      const execution = await executor.start(bench.launch(['sleep', '300']), new RecordingSink());
      execution.stop(3_600_000, 'stopped');
      expect(await execution.exited).toMatchObject({ signal: 'SIGKILL', reason: 'stopped' });
    });

    it('and so does a shell, whose child gets the signal', async () => {
      const sink = new RecordingSink();
      const execution = await executor.start(bench.shell('echo up; sleep 300; exit 8'), sink);
      await until('it is up', () => sink.text('stdout') === 'up\n');
      await until('its child runs', async () => (await execution.stats()).processes === 2);
      execution.stop(3_600_000, 'stopped');
      expect(await execution.exited).toMatchObject({ exitCode: 8, reason: 'stopped' });
    });

    it('a kill by somebody else is told as the signal', async () => {
      const execution = await executor.start(bench.launch(['sleep', '300']), new RecordingSink());
      await bench.api.call({ method: 'POST', path: `/containers/${execution.handle.containerId}/kill` });
      const exit = await execution.exited;
      expect(exit).toMatchObject({ signal: 'SIGKILL' });
      expect(exit.reason).toBeUndefined();
    });

    it('a removal by somebody else is told, too', async () => {
      const execution = await executor.start(bench.launch(['sleep', '300']), new RecordingSink());
      const path = `/containers/${execution.handle.containerId}`;
      await bench.api.call({ method: 'DELETE', path, query: { force: true } });
      const exit = await execution.exited;
      // Depending on whether the engine still answered for it when we looked.
      expect(exit.signal).toBe('SIGKILL');
    });

    it('output comes before its line ends', async () => {
      const sink = new RecordingSink();
      const execution = await executor.start(bench.shell('printf "Continue? "; sleep 300'), sink);
      await until('something is there', () => sink.text('stdout') !== '');
      expect(sink.text('stdout')).toBe('Continue? ');
      execution.stop(0, 'stopped');
      await execution.exited;
    });

    it('100 MB of short lines arrive, more than the engine keeps', async () => {
      const launch = bench.shell('yes 0123456789012345678901234567890123456789012345678 | head -c 100000000');
      let length = 0;
      const sink = {
        write: (_: string, bytes: Uint8Array) => {
          length += bytes.length;
          return true;
        },
        drained: () => Promise.resolve(),
      };
      const execution = await executor.start(launch, sink);
      expect((await execution.exited).exitCode).toBe(0);
      expect(length).toBe(100_000_000);
      expect(execution.limitations).toEqual(executor.limitations);
    });

    it('a mount whose source is missing is named and leaves nothing behind', async () => {
      const launch = bench.launch(['true'], { mounts: [{ source: '/no/such/source', target: '/data' }] });
      await expect(executor.start(launch, new RecordingSink())).rejects.toMatchObject({
        code: 'launch-failed',
        message: expect.stringContaining('/no/such/source'),
      });
      await until('nothing is left', async () => (await bench.containers()).length === 0);
    });

    it("somebody else's container of the same name is not touched", async () => {
      const launch = bench.launch(['true']);
      const name = containerName(launch.attemptId);
      const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
      const theirs = await bench.api.call({
        method: 'POST',
        path: '/containers/create',
        query: { name },
        body,
      });
      await expect(executor.start(launch, new RecordingSink())).rejects.toMatchObject({
        code: 'launch-failed',
      });
      expect((await inspect(launch)).at('Id').text()).toBe(theirs.at('Id').text());
      await bench.api.call({ method: 'DELETE', path: `/containers/${theirs.at('Id').text()}` });
    });

    it('a timed out command beside the workload is killed with its children', async () => {
      const execution = await executor.start(bench.launch(['sleep', '300']), new RecordingSink());
      const run = (...command: string[]): ReturnType<typeof execution.exec> =>
        execution.exec({ command, env: {}, timeoutMs: 500, maxOutputBytes: 10_000 });
      expect(await run('sh', '-c', 'sleep 301 & sleep 302')).toMatchObject({
        timedOut: true,
        signal: 'SIGKILL',
      });
      const runs = async (): Promise<boolean> =>
        /sleep 30[12]/.test(Buffer.from((await run('ps')).stdout).toString());
      await until('they are gone', async () => !(await runs()));
      execution.stop(0, 'stopped');
      await execution.exited;
    });

    it('an end stays readable for a while before the container is removed', async () => {
      const launch = bench.launch(['sh', '-c', 'exit 6']);
      const careful = await bench.executor({ lingerMs: 60_000 });
      const first = await careful.start(launch, new RecordingSink());
      await first.exited;
      const again = await executor.recover(launch.attemptId, first.handle, new RecordingSink());
      expect(await again?.exited).toMatchObject({ exitCode: 6 });
      await careful[Symbol.asyncDispose]();
      await until('it is removed', async () => (await bench.containers()).length === 0);
      expect(existsSync(`${bench.stateFolder}/${containerName(launch.attemptId)}.json`)).toBe(false);
    });

    describe('images', () => {
      let registry: Server;
      let answer: { status: number; code: string } | 'silence';
      let host: string;
      beforeAll(async () => {
        registry = createServer((_, response) => {
          if (answer === 'silence') return;
          response.writeHead(answer.status, { 'content-type': 'application/json' });
          response.end(
            JSON.stringify({ errors: [{ code: answer.code, message: answer.code.toLowerCase() }] }),
          );
        });
        await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
        host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
      });
      afterAll(() => {
        registry.closeAllConnections();
        registry.close();
      });
      const refusal = async (image: string): Promise<unknown> =>
        executor.prepare(bench.launch(['true'], { image }), {}).catch((error: unknown) => error);

      it('an unknown one is named, with what to do', async () => {
        answer = { status: 404, code: 'MANIFEST_UNKNOWN' };
        const error = await refusal(`${host}/team/model:v1`);
        expect(error).toMatchObject({ code: 'image-not-found' });
        expect(String(error)).toMatch(/team\/model:v1 .*Check its name and tag/);
      });

      it('a private one is told apart', async () => {
        answer = { status: 403, code: 'DENIED' };
        const error = await refusal(`${host}/team/private`);
        expect(error).toMatchObject({ code: 'image-not-found' });
        expect(String(error)).toMatch(/log in or pull it on the node first/);
      });

      it('a registry that cannot be reached is told apart', async () => {
        const error = await refusal('127.0.0.1:1/team/model');
        expect(error).toMatchObject({ code: 'image-not-found' });
        expect(String(error)).toMatch(/registry cannot be reached/);
      });

      it('fetching can be aborted', async () => {
        answer = 'silence';
        const abort = new AbortController();
        const preparing = executor.prepare(bench.launch(['true'], { image: `${host}/slow` }), {
          signal: abort.signal,
        });
        abort.abort();
        await expect(preparing).rejects.toMatchObject({ code: 'aborted' });
      });
    });
  },
);

describe('without an engine', () => {
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const options = { owner: 'test', stateFolder: '/nonexistent', knownAttempts: [] };

  it('says which socket was tried and what to do', async () => {
    const result = await openContainerExecutor(deps, {
      ...options,
      socketPath: '/no/engine.sock',
      environment: {},
    });
    expect(result).toMatchObject({ kind: 'unavailable' });
    expect(result).toMatchObject({
      reason: expect.stringMatching(/\/no\/engine\.sock.*Install and start Docker/),
    });
  });

  it('does not look elsewhere when DOCKER_HOST is remote', async () => {
    const environment = { DOCKER_HOST: 'tcp://elsewhere:2375' };
    const result = await openContainerExecutor(deps, { ...options, environment });
    expect(result).toMatchObject({ reason: expect.stringContaining('tcp://elsewhere:2375') });
  });
});
