// Shows that orders are carried out once and ends are reported until confirmed, whatever comes twice, late
// or not at all.
import { createHash } from 'node:crypto';
import { attemptsDigestText } from '@clawbernetes/protocol';
import { decodeRecords } from '@clawbernetes/telemetry';
import { expect, test } from 'vitest';
import { until } from '../../src/testing/until.ts';
import { machine, type Machine } from './opened-node.ts';
import { TestGateway, type TestConnection } from './test-gateway.ts';

const RUNNING = 4;
const EXITED = 6;
const KILLED = 7;
const hello = { command: ['true'], env: { VIRTUAL_OUTPUT: 'hello\n' } };

function ended(connection: TestConnection, attemptId: string) {
  return connection.statuses().find((status) => status.attemptId === attemptId && status.state >= EXITED);
}

async function untilForgotten(host: Machine): Promise<void> {
  await until('the supervisor was told to forget', () => host.supervisor.size === 0);
}

function textOf(connection: TestConnection, attemptId: string): string {
  const records = Buffer.concat(connection.logs.get(attemptId)?.bytes ?? []);
  return Array.from(decodeRecords(records), ({ bytes }) => Buffer.from(bytes).toString()).join('');
}

test('a workload runs; its end and its log arrive and then it is forgotten', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', hello);
  await until('it ended', () => ended(connection, 'a-1') !== undefined);
  await untilForgotten(host);
  expect(ended(connection, 'a-1')).toMatchObject({ state: EXITED, exitCode: 0 });
  expect(textOf(connection, 'a-1')).toBe('hello\n');
  expect(connection.logs.get('a-1')?.final).toBe(true);
  expect(node.attempts()).toEqual([]);
});

test('a workload that begins at once is told in one report', async () => {
  await using gateway = await TestGateway.open();
  const host = machine({ startMs: 0 });
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  // What there is to report goes with a heartbeat, too.
  await until('the first heartbeat came', () => connection.all('heartbeat').length > 0);
  connection.start('a-1', { command: ['sleep'], env: { VIRTUAL_MS: 'Infinity' } });
  await until('it runs', () => connection.statuses().some(({ state }) => state === RUNNING));
  expect(connection.statuses()).toHaveLength(1);
});

test('a workload without output needs no log frame to be forgotten', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  for (let index = 0; index < 300; index += 1) connection.start(`a-${index}`, { command: ['true'] });
  await until('all ended', () => connection.statuses().filter(({ state }) => state >= EXITED).length === 300);
  await untilForgotten(host);
  expect(connection.logs.size).toBe(0);
});

test('without confirmation nothing is forgotten, and all of it is said again on the next connection', async () => {
  await using gateway = await TestGateway.open({ acknowledge: false });
  const host = machine();
  await using _node = await host.open(gateway.url);
  const first = await gateway.registered();
  first.start('a-1', hello);
  await until('its log arrived', () => first.logs.get('a-1')?.final === true);
  first.socket.terminate();
  const second = await gateway.registered(2);
  await until('its end is said again', () => ended(second, 'a-1') !== undefined);
  expect(host.supervisor.size).toBe(1);
  second.acknowledge('a-1', Number(ended(second, 'a-1')?.revision));
  await second.command('node.capabilities', {});
  // Its end is confirmed, its log is not.
  expect(host.supervisor.size).toBe(1);
  second.send({ case: 'logStart', value: { attemptId: 'a-1', position: 0n } });
  await until('its log came again', () => second.logs.get('a-1')?.final === true);
  expect(textOf(second, 'a-1')).toBe('hello\n');
  second.send({
    case: 'logAck',
    value: { attemptId: 'a-1', position: BigInt(second.logs.get('a-1')?.end ?? 0) },
  });
  await untilForgotten(host);
});

test('confirmations that come early, twice, for nobody or too high do no harm', async () => {
  await using gateway = await TestGateway.open({ acknowledge: false });
  const host = machine();
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.acknowledge('nobody', 7);
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it runs', () => connection.statuses().some(({ state }) => state === 4));
  connection.acknowledge('a-1', 1_000_000);
  connection.acknowledge('a-1', 1);
  connection.send({ case: 'logAck', value: { attemptId: 'a-1', position: 1_000_000n } });
  connection.stop('a-1');
  await until('its end is reported all the same', () => ended(connection, 'a-1') !== undefined);
  expect(host.supervisor.size).toBe(1);
  connection.acknowledge('a-1', Number(ended(connection, 'a-1')?.revision));
  connection.acknowledge('a-1', Number(ended(connection, 'a-1')?.revision));
  await untilForgotten(host);
});

test('an order that comes again runs nothing twice, not even after the end was forgotten', async () => {
  await using gateway = await TestGateway.open();
  let launches = 0;
  const host = machine({ script: () => ({ durationMs: 20 * ++launches }) });
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  for (let copy = 0; copy < 5; copy += 1) connection.start('a-1', { command: ['true'] });
  await until('it ended', () => ended(connection, 'a-1') !== undefined);
  await untilForgotten(host);
  connection.start('a-1', { command: ['true'] });
  await connection.command('node.capabilities', {});
  expect(launches).toBe(1);
  expect(host.supervisor.size).toBe(0);
});

test('a stop that overtakes its start wins', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.stop('a-1');
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it is reported', () => ended(connection, 'a-1') !== undefined);
  await connection.command('node.capabilities', {});
  expect(ended(connection, 'a-1')).toMatchObject({ state: KILLED, reason: 'stopped' });
  expect(host.supervisor.size).toBe(0);
});

test('orders of an older epoch are answered with the present status', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '3600'] }, { term: 1, counter: 5 });
  await until('it runs', () => connection.statuses().some(({ state }) => state === 4));
  const before = connection.statuses().length;
  connection.stop('a-1', { counter: 4 });
  await until('it is answered', () => connection.statuses().length > before);
  expect(node.attempts()).toMatchObject([{ state: 'running' }]);
});

test('a workload that cannot be understood or started is refused in words', async () => {
  await using gateway = await TestGateway.open();
  const host = machine({
    script: () => {
      throw new Error('no space left on device');
    },
  });
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.startRaw('a-1', Buffer.from('{"command":[]}'));
  connection.startRaw('a-2', Buffer.from('not json'));
  connection.start('a-3', { command: ['true'] });
  await until('all are refused', () =>
    ['a-1', 'a-2', 'a-3'].every((id) => ended(connection, id) !== undefined),
  );
  expect(ended(connection, 'a-1')).toMatchObject({ state: KILLED, reason: 'launch-failed' });
  expect(ended(connection, 'a-1')?.message).toContain('needs a command');
  expect(ended(connection, 'a-3')?.message).toContain('no space left on device');
});

test('workloads go on while the gateway is away, and their ends arrive when it is back', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '0.3'] });
  connection.start('a-2', { command: ['sleep', '3600'] });
  await until('both run', () => connection.statuses().filter(({ state }) => state === 4).length === 2);
  await gateway.stop();
  await until('one ended meanwhile', () => node.attempts().some(({ state }) => state === 'exited'));
  await gateway.restart();
  const second = await gateway.registered(2);
  await until('its end arrived', () => ended(second, 'a-1') !== undefined);
  expect(node.attempts().find(({ attemptId }) => attemptId === 'a-2')).toMatchObject({ state: 'running' });
});

test('a new agent takes over what the old one ran', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  {
    await using _node = await host.open(gateway.url);
    const connection = await gateway.registered();
    connection.start('a-1', { command: ['sleep', '0.2'], env: { VIRTUAL_OUTPUT: 'kept\n' } });
    await until('it runs', () => connection.statuses().some(({ state }) => state === 4));
  }
  await using _next = await host.open(gateway.url);
  const second = await gateway.registered(2);
  second.send({ case: 'desiredState', value: { attemptsDigest: new Uint8Array(), listAttempts: true } });
  await until('it is listed', () => second.all('inventoryReport').length === 1);
  expect(second.all('inventoryReport')[0]?.attempts).toMatchObject([{ attemptId: 'a-1' }]);
  const text = attemptsDigestText([{ attemptId: 'a-1', epoch: { term: 1, counter: 1 } }]);
  expect(Buffer.from(second.register.attemptsDigest)).toEqual(createHash('sha256').update(text).digest());
  second.send({ case: 'logStart', value: { attemptId: 'a-1', position: 0n } });
  await until('it ended', () => ended(second, 'a-1') !== undefined);
  await untilForgotten(host);
  expect(textOf(second, 'a-1')).toBe('kept\n');
});

test('when the supervisor is lost, what it ran is reported as lost', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it runs', () => connection.statuses().some(({ state }) => state === 4));
  host.supervisor.crash();
  await until('it is reported', () => ended(connection, 'a-1') !== undefined);
  expect(ended(connection, 'a-1')).toMatchObject({ reason: 'supervisor-lost' });
});
