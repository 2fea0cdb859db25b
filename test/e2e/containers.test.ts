// Shows containers on a real engine through the whole system: their life, and kill -9 in each of its stages.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DockerEngine, dockerEngineMissing } from '@clawbernetes/node/testing';
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HeldWork } from './support/held-work.ts';
import { processesOf } from './support/leftovers.ts';
import { BINS, Program } from './support/program.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });
const missing = dockerEngineMissing();

describe.skipIf(missing !== undefined)(`containers${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  let engine: DockerEngine;
  let fleet: RealFleet;
  let registry: SlowRegistry;
  beforeAll(async () => {
    engine = await DockerEngine.open();
    registry = await SlowRegistry.open();
    fleet = await RealFleet.open([
      { name: 'node-1', args: ['--docker-host', `unix://${engine.socketPath}`] },
    ]);
  });
  afterAll(async () => {
    registry.close();
    await fleet[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  /** Of a container that shares the test's folder with it. */
  function shared(): Partial<WorkloadSpecInput> {
    const mounts = [{ source: fleet.work, target: fleet.work, readOnly: false }];
    return { image: 'busybox', mounts };
  }

  it('output, exit code, environment, limits, timeout', async () => {
    const { id } = await fleet.run({
      image: 'busybox',
      command: ['sh', '-c', 'echo "$K $PWD"; echo no >&2; exit 4'],
      env: { K: 'v' },
    });
    const view = await fleet.end(id);
    expect(view).toMatchObject({ state: 'failed', exitCode: 4, attempt: { sandbox: 'container' } });
    expect(await fleet.text(id)).toBe('v /work\n');
    expect(await fleet.text(id, 'stderr')).toBe('no\n');
    const [hungry, late] = await Promise.all([
      fleet.run({
        image: 'busybox',
        // At once: before the engine begins to watch the container's memory.
        command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'],
        resources: { memoryMib: 32 },
      }),
      fleet.run({ image: 'busybox', command: ['sleep', '306'], timeoutMs: 300, stopGraceMs: 200 }),
    ]);
    expect(await fleet.end(hungry.id)).toMatchObject({ state: 'failed', endReason: 'out-of-memory' });
    expect(await fleet.end(late.id)).toMatchObject({ state: 'failed', endReason: 'timeout' });
    expect(processesOf(['sleep 306'])).toEqual([]);
  });

  it('an image that is not there', async () => {
    const image = `127.0.0.1:${registry.port}/absent:1`;
    registry.answer();
    const { id } = await fleet.run({ image, command: ['true'] });
    const view = await fleet.end(id);
    expect(view).toMatchObject({ state: 'failed', endReason: 'image-not-found' });
    expect(view.message).toContain(image);
  });

  it('kill -9 of gateway, agent and supervisor while it runs: the same container goes on', async () => {
    const work = await HeldWork.submit(fleet, 'container', { exitCode: 7, spec: shared() });
    await work.hasBegun();
    await fleet.untilState(work.id, 'running');
    await fleet.restartGateway();
    await fleet.node.restart();
    const before = await fleet.node.killSupervisor();
    await until('another supervisor serves', () => ![undefined, before].includes(fleet.node.supervisorPid));
    const exec = { workload: work.id, command: ['echo', 'in'] };
    await until('it can be looked into again', async () =>
      fleet.client.command('container.exec', exec).then(
        ({ stdout }) => stdout === 'in\n',
        () => false,
      ),
    );
    const stats = await fleet.client.command('workload.stats', { workload: work.id });
    expect(stats.processes).toBeGreaterThan(0);
    await work.letGo();
    expect(await work.endsWhole()).toMatchObject({ state: 'failed' });
    await fleet.untilAllFree();
  });

  it('kill -9 of the supervisor, again and again, while it prints: every line is in the log once', async () => {
    const script = 'i=0; while [ ! -e chatty.go ]; do echo $i; i=$((i+1)); usleep 500; done; echo last $i';
    const { id } = await fleet.sh(script, { name: 'chatty', ...shared() });
    await fleet.untilState(id, 'running');
    let printed = '';
    const followed = (async () => {
      for await (const { stream, bytes } of fleet.client.followLogs(id))
        if (stream === 'stdout') printed += Buffer.from(bytes).toString();
    })();
    for (let kills = 0; kills < 3; kills += 1) {
      const before = await fleet.node.killSupervisor();
      await until('another serves', () => ![undefined, before].includes(fleet.node.supervisorPid));
      const { length } = printed;
      await until('its log grows', () => printed.length > length);
    }
    await fleet.letGo('chatty');
    expect(await fleet.end(id)).toMatchObject({ state: 'succeeded' });
    await followed;
    const lines = printed.trimEnd().split('\n');
    const numbers = Array.from({ length: lines.length - 1 }, (_, index) => String(index));
    expect(lines).toEqual([...numbers, `last ${numbers.length}`]);
  });

  it('kill -9 of its first process', async () => {
    const work = await HeldWork.submit(fleet, 'killed-container', { spec: shared() });
    await work.hasBegun();
    const [first] = processesOf(['killed-container.starts']).filter(({ command }) =>
      command.startsWith('sh -c'),
    );
    expect(first).toBeDefined();
    process.kill(first?.pid ?? NaN, 'SIGKILL');
    const view = await fleet.end(work.id);
    expect(view).toMatchObject({ state: 'failed' });
    expect(view.signal ?? String(view.exitCode)).toMatch(/SIGKILL|137/);
    expect(await work.starts()).toBe(1);
  });

  it('kill -9 of gateway and agent while its image is fetched; then it is stopped there', async () => {
    registry.hold();
    const image = `127.0.0.1:${registry.port}/slow:1`;
    const { id } = await fleet.run({ image, command: ['true'] });
    await until('the engine asks for the image', () => registry.waiting > 0);
    await fleet.untilState(id, 'preparing');
    await fleet.restartGateway();
    await fleet.node.restart();
    expect((await fleet.inspect(id)).state).toBe('preparing');
    await fleet.stop(id);
    expect(await fleet.end(id)).toMatchObject({ state: 'cancelled', attempts: [{ number: 1 }] });
    registry.answer();
    await fleet.untilAllFree();
  });

  it('kill -9 of the supervisor while its image is fetched: it ends with a reason, and never runs later', async () => {
    registry.hold();
    const image = `127.0.0.1:${registry.port}/slow:2`;
    const { id } = await fleet.run({ image, command: ['true'] });
    await fleet.untilState(id, 'preparing');
    await until('the engine asks for the image', () => registry.waiting > 0);
    await fleet.node.killSupervisor();
    const view = await fleet.end(id);
    expect(view).toMatchObject({ state: 'failed', endReason: 'supervisor-lost' });
    expect(view.message).toMatch(/again/);
    registry.answer();
    await fleet.untilAllFree();
  });

  it('an engine that is away: work that wants one says so, and runs when asked again', async () => {
    await engine.kill();
    const { id } = await fleet.run({ image: 'busybox', command: ['true'] });
    const view = await fleet.end(id);
    expect(view).toMatchObject({ state: 'failed', endReason: 'executor-unavailable' });
    await engine.start();
    expect(await fleet.end((await fleet.run({ image: 'busybox', command: ['true'] })).id)).toMatchObject({
      state: 'succeeded',
    });
  });

  it('run of the command line, and its interrupt', async () => {
    const env = { CLAWBERNETES_GATEWAY: fleet.client.url, CLAWBERNETES_TOKEN: fleet.token };
    const run = new Program(BINS.cli, ['run', 'busybox', '--', 'sh', '-c', 'echo hi; exit 9'], { env });
    expect(await run.ended).toBe(9);
    expect(run.stdout).toBe('hi\n');
    const args = ['run', '--stop-grace', '200ms', 'busybox', '--', 'sh', '-c', 'echo up; sleep 307'];
    const long = new Program(BINS.cli, args, { env });
    await long.says(/^up$/m);
    long.signal('SIGINT');
    expect(await long.ended).toBeGreaterThan(128);
    expect(processesOf(['sleep 307'])).toEqual([]);
  });
});

/** A registry without images, which can keep an engine waiting. */
class SlowRegistry {
  readonly #server: Server;
  readonly #held = new Set<ServerResponse>();
  #holds = false;

  static async open(): Promise<SlowRegistry> {
    const registry = new SlowRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  private constructor() {
    this.#server = createServer((_, response) => {
      this.#held.add(response);
      response.once('close', () => this.#held.delete(response));
      if (!this.#holds) this.answer();
    });
  }

  get port(): number {
    // A listening TCP server has such an address.
    return (this.#server.address() as AddressInfo).port;
  }

  get waiting(): number {
    return this.#held.size;
  }

  hold(): void {
    this.#holds = true;
  }

  answer(): void {
    this.#holds = false;
    for (const response of this.#held)
      response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
  }

  close(): void {
    this.answer();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
