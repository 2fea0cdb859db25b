// Shows logs over a real connection: whole, resumed from any position, and never in the way of statuses.
import { decodeRecords } from '@clawbernetes/telemetry';
import { expect, test } from 'vitest';
import { LOG_SHIPPING } from '../../src/agent/log-shipper.ts';
import { until } from '../../src/testing/until.ts';
import { machine, type Machine } from './opened-node.ts';
import { TestGateway, type TestConnection } from './test-gateway.ts';

const MIB = 1024 * 1024;

function bytesOf(connection: TestConnection, attemptId: string): Buffer {
  const records = Buffer.concat(connection.logs.get(attemptId)?.bytes ?? []);
  return Buffer.concat(Array.from(decodeRecords(records), ({ bytes }) => Buffer.from(bytes)));
}

function received(connection: TestConnection): number {
  return [...connection.logs.values()]
    .flatMap(({ bytes }) => bytes)
    .reduce((sum, { length }) => sum + length, 0);
}

/** Prints `mib` MiB of numbered lines. */
function flood(host: Machine, attemptId: string, mib: number): void {
  for (let part = 0; part < mib * 16; part += 1) {
    host.supervisor.print(attemptId, `${attemptId} ${part} `.padEnd(64 * 1024 - 1, '.') + '\n');
  }
}

async function running(connection: TestConnection, ...attemptIds: readonly string[]): Promise<void> {
  for (const attemptId of attemptIds) connection.start(attemptId, { command: ['sleep', '3600'] });
  await until(
    'all run',
    () => connection.statuses().filter(({ state }) => state === 4).length >= attemptIds.length,
  );
}

test('16 MiB arrive whole and in order', async () => {
  await using gateway = await TestGateway.open();
  const host = machine({ maxLogBytes: 64 * MIB });
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  await running(connection, 'a');
  flood(host, 'a', 16);
  connection.stop('a');
  await until('all of it arrived', () => connection.logs.get('a')?.final === true, 20_000);
  const text = bytesOf(connection, 'a');
  expect(text).toHaveLength(16 * MIB);
  const numbers = text
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => Number(line.split(' ')[1]));
  expect(numbers).toEqual(Array.from({ length: 256 }, (_, index) => index));
});

test('a gateway that confirms nothing gets one window of logs, and statuses and heartbeats all the same', async () => {
  await using gateway = await TestGateway.open({ acknowledge: false, heartbeatMs: 100 });
  const host = machine({ maxLogBytes: 16 * MIB });
  await using _node = await host.open(gateway.url);
  const connection = await gateway.registered();
  const ids = Array.from({ length: 8 }, (_, index) => `a-${index}`);
  await running(connection, ...ids);
  for (const id of ids) flood(host, id, 2);
  await until(
    'the window is nearly full',
    () => received(connection) > LOG_SHIPPING.windowBytes - 8 * LOG_SHIPPING.chunkBytes,
  );
  connection.start('late', { command: ['true'] });
  await until('a status gets through', () =>
    connection.statuses().some(({ attemptId, state }) => attemptId === 'late' && state === 6),
  );
  const beats = connection.all('heartbeat').length;
  await until('heartbeats do, too', () => connection.all('heartbeat').length > beats + 2);
  expect(received(connection)).toBeLessThanOrEqual(LOG_SHIPPING.windowBytes);
  expect(new Set(connection.logs.keys())).toEqual(new Set(ids));
});

test('after a lost connection each log goes on exactly where the gateway’s copy ends', async () => {
  await using gateway = await TestGateway.open();
  const host = machine({ maxLogBytes: 16 * MIB });
  await using _node = await host.open(gateway.url);
  const first = await gateway.registered();
  await running(first, 'a', 'b');
  for (const id of ['a', 'b']) flood(host, id, 1);
  await until('some of it arrived', () => received(first) >= 2 * LOG_SHIPPING.chunkBytes);
  first.socket.terminate();
  const copies = new Map(Array.from(first.logs, ([id, { end }]) => [id, end]));
  flood(host, 'a', 1);
  const second = await gateway.registered(2);
  for (const id of ['a', 'b']) {
    second.send({ case: 'logStart', value: { attemptId: id, position: BigInt(copies.get(id) ?? 0) } });
  }
  for (const id of ['a', 'b']) second.stop(id);
  await until('both are complete', () => ['a', 'b'].every((id) => second.logs.get(id)?.final === true));
  const whole = (id: string): Buffer => Buffer.concat([bytesOf(first, id), bytesOf(second, id)]);
  expect([whole('a').length, whole('b').length]).toEqual([2 * MIB, MIB]);
  await until('both are forgotten', () => host.supervisor.size === 0);
});
