// Shows clawnode as users run it: real processes, a real supervisor, kill -9 at any moment, and exit codes
// that mean something.
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeRecords } from '@clawbernetes/telemetry';
import { expect, test } from 'vitest';
import { until } from '../../src/testing/until.ts';
import { ClawnodeHome, isAlive } from './clawnode-process.ts';
import { TestGateway, type TestConnection } from './test-gateway.ts';

const RUNNING = 4;
const EXITED = 6;
const KILLED = 7;
const DEADLINE_MS = 20_000;

/** Counts its runs in a file, says hello, waits for a second file and exits with 7. */
function script(home: ClawnodeHome): { command: string[]; sandbox: 'off'; stopGraceMs: number } {
  const text = `echo run >> ${home.path}/runs; echo hello; while [ ! -e ${home.path}/go ]; do sleep 0.05; done; echo bye; exit 7`;
  return { command: ['/bin/sh', '-c', text], sandbox: 'off', stopGraceMs: 500 };
}

function ended(connection: TestConnection, attemptId: string) {
  return connection.statuses().find((status) => status.attemptId === attemptId && status.state >= EXITED);
}

function textOf(connection: TestConnection, attemptId: string): string {
  const records = Buffer.concat(connection.logs.get(attemptId)?.bytes ?? []);
  return Array.from(decodeRecords(records), ({ bytes }) => Buffer.from(bytes).toString()).join('');
}

function runsOf(home: ClawnodeHome): number {
  const file = path.join(home.path, 'runs');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

async function opened() {
  const gateway = await TestGateway.open();
  const home = new ClawnodeHome();
  const flags = ['--gateway', gateway.url, '--allow-unsandboxed'];
  const stack = new AsyncDisposableStack();
  stack.use(gateway);
  stack.use(home);
  return {
    gateway,
    home,
    start: () => home.start(...flags),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function registered(gateway: TestGateway, count: number): Promise<TestConnection> {
  await until('it registered', () => gateway.connections[count - 1]?.phase === 'registered', DEADLINE_MS);
  return gateway.registered(count);
}

test.each([
  ['right after the order', async () => undefined],
  ['while it runs', async (first: TestConnection) => untilState(first, RUNNING)],
])('kill -9 of the agent %s: the next one has the work, its log and its exit code', async (_when, wait) => {
  await using world = await opened();
  const { gateway, home } = world;
  const agent = world.start();
  const first = await registered(gateway, 1);
  first.start('a-1', script(home));
  await wait(first);
  expect(await agent.kill('SIGKILL')).toBe('SIGKILL');
  world.start();
  const second = await registered(gateway, 2);
  // As the gateway does when it finds the attempt missing, and may do when it is not.
  second.start('a-1', script(home));
  second.send({ case: 'logStart', value: { attemptId: 'a-1', position: 0n } });
  await until('it runs', () => runsOf(home) > 0, DEADLINE_MS);
  await writeFile(path.join(home.path, 'go'), '');
  await until('it ended', () => ended(second, 'a-1') !== undefined, DEADLINE_MS);
  await until('its log is whole', () => textOf(second, 'a-1') === 'hello\nbye\n', DEADLINE_MS);
  expect(ended(second, 'a-1')).toMatchObject({ state: EXITED, exitCode: 7 });
  expect(runsOf(home)).toBe(1);
});

test('kill -9 of the agent while the work is stopping: it is stopped all the same', async () => {
  await using world = await opened();
  const { gateway } = world;
  const agent = world.start();
  const first = await registered(gateway, 1);
  first.start('a-1', {
    command: ['/bin/sh', '-c', 'trap "" TERM; echo on; sleep 600 & wait; sleep 600'],
    sandbox: 'off',
  });
  await untilState(first, RUNNING);
  first.stop('a-1');
  await untilState(first, 5);
  await agent.kill('SIGKILL');
  world.start();
  const second = await registered(gateway, 2);
  await until('it ended', () => ended(second, 'a-1') !== undefined, DEADLINE_MS);
  expect(ended(second, 'a-1')).toMatchObject({ state: KILLED, reason: 'stopped' });
});

test('kill -9 of the agent after the end, before the gateway confirmed it: the end is reported again', async () => {
  await using world = await opened();
  const { gateway, home } = world;
  gateway.behaviour.acknowledge = false;
  const agent = world.start();
  const first = await registered(gateway, 1);
  first.start('a-1', { command: ['/bin/sh', '-c', `echo run >> ${home.path}/runs; exit 3`], sandbox: 'off' });
  await until('it ended', () => ended(first, 'a-1') !== undefined, DEADLINE_MS);
  await agent.kill('SIGKILL');
  gateway.behaviour.acknowledge = true;
  world.start();
  const second = await registered(gateway, 2);
  await until('it is said again', () => ended(second, 'a-1') !== undefined, DEADLINE_MS);
  expect(ended(second, 'a-1')).toMatchObject({ state: EXITED, exitCode: 3 });
  expect(runsOf(home)).toBe(1);
});

test('kill -9 of the supervisor: plain work is lost, said to be so, and the node goes on', async () => {
  await using world = await opened();
  const { gateway, home } = world;
  world.start();
  const connection = await registered(gateway, 1);
  connection.start('a-1', script(home));
  await untilState(connection, RUNNING);
  const pid = home.supervisorPid() ?? -1;
  process.kill(pid, 'SIGKILL');
  await until('its end is reported', () => ended(connection, 'a-1') !== undefined, DEADLINE_MS);
  expect(ended(connection, 'a-1')?.reason).toBe('supervisor-lost');
  connection.start('a-2', { command: ['/bin/true'], sandbox: 'off' });
  await until('new work runs', () => ended(connection, 'a-2')?.exitCode === 0, DEADLINE_MS);
  expect(home.supervisorPid()).not.toBe(pid);
});

test('SIGTERM leaves the work running, unless told to take it along', async () => {
  await using world = await opened();
  const { gateway, home } = world;
  const agent = world.start();
  const first = await registered(gateway, 1);
  first.start('a-1', script(home));
  await untilState(first, RUNNING);
  expect(await agent.kill('SIGTERM')).toBe(0);
  const pid = home.supervisorPid() ?? -1;
  expect(isAlive(pid)).toBe(true);
  const next = home.start('--gateway', gateway.url, '--allow-unsandboxed', '--stop-workloads-on-exit');
  const second = await registered(gateway, 2);
  await untilState(second, RUNNING);
  expect(await next.kill('SIGTERM')).toBe(0);
  expect(ended(second, 'a-1')).toMatchObject({ state: KILLED, reason: 'stopped' });
  await until('the supervisor went, too', () => !isAlive(pid), DEADLINE_MS);
});

test('a second clawnode on the same home says so and ends', async () => {
  await using world = await opened();
  const agent = world.start();
  await registered(world.gateway, 1);
  const other = world.start();
  expect(await other.exited).toBe(1);
  expect(other.output()).toContain(
    `A clawnode already runs on ${world.home.path}/node (process ${agent.pid}). Stop it first`,
  );
});

test('a gateway that refuses the token ends it with exit code 3', async () => {
  await using world = await opened();
  world.gateway.behaviour.approve = false;
  const agent = world.start();
  await until('it waits', () => world.gateway.connections[0]?.phase === 'pending', DEADLINE_MS);
  const message = 'The join token is not valid here.';
  world.gateway.connections[0]?.send({
    case: 'error',
    value: { code: 'bad-join-token', message, fatal: true },
  });
  expect(await agent.exited).toBe(3);
  expect(agent.output()).toContain(`clawnode: ${message}`);
});

test('a slip in clawnode.toml ends it with exit code 5 and one message', async () => {
  await using home = new ClawnodeHome();
  await writeFile(path.join(home.path, 'clawnode.toml'), '[node]\nname = "a"\n\n[gpu]\nautodetect = true\n');
  const agent = home.start();
  expect(await agent.exited).toBe(5);
  expect(agent.output()).toBe(
    `clawnode: ${home.path}/clawnode.toml:5: unknown key "autodetect" in [gpu]. Did you mean "auto_detect"?\n`,
  );
});

test('a home that cannot be written is named', async () => {
  await using home = new ClawnodeHome();
  await writeFile(path.join(home.path, 'node'), '');
  const agent = home.start();
  expect(await agent.exited).toBe(1);
  expect(agent.output()).toContain(`The folder ${home.path}/node cannot be used`);
});

async function untilState(connection: TestConnection, state: number): Promise<void> {
  await until(
    `state ${state} is reported`,
    () => connection.statuses().some((each) => each.state >= state),
    DEADLINE_MS,
  );
}
