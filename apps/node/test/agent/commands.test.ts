// Shows the commands that a node answers itself: checked at its edge, bounded, and off where the operator
// says so.
import { commands, isCommandName } from '@clawbernetes/protocol';
import { expect, test } from 'vitest';
import { findingsOf } from '../../src/agent/commands/health-handler.ts';
import { until } from '../../src/testing/until.ts';
import { virtualHardware } from '../../src/testing/virtual-hardware.ts';
import { machine } from './opened-node.ts';
import { TestGateway, type TestConnection } from './test-gateway.ts';

async function answer(connection: TestConnection, name: string, params = {}) {
  const { output, error } = await connection.command(name, params);
  if (error) return { error: { code: error.code, message: error.message } };
  const parsed = JSON.parse(Buffer.from(output).toString()) as unknown;
  if (!isCommandName(name)) throw new Error(`${name} is no command`);
  return commands[name].output.parse(parsed) as Record<string, unknown>;
}

test.each(['system.info', 'gpu.metrics', 'node.capabilities', 'node.health'])(
  '%s answers as the registry says',
  async (name) => {
    await using gateway = await TestGateway.open();
    await using _node = await machine().open(gateway.url);
    const connection = await gateway.registered();
    expect(await answer(connection, name, { node: 'one' })).toMatchObject({ node: 'one' });
  },
);

test('stats and exec reach the attempt that the gateway names', async () => {
  await using gateway = await TestGateway.open();
  await using node = await machine().open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it runs', () => node.attempts()[0]?.state === 'running');
  const target = { workload: 'train', attemptId: 'a-1' };
  expect(await answer(connection, 'workload.stats', target)).toMatchObject({
    workload: 'train',
    processes: 1,
  });
  expect(await answer(connection, 'container.exec', { ...target, command: ['echo', 'hi'] })).toMatchObject({
    exitCode: 0,
    stdout: 'echo hi\n',
    encoding: 'utf8',
  });
});

test.each([
  ['workload.stats', { workload: 'x', attemptId: 'gone' }, 'not-running', /x is not running/],
  ['workload.stats', { workload: 'x' }, 'invalid-input', /attemptId/],
  ['container.exec', { workload: 'x', attemptId: 'a', command: [] }, 'invalid-input', /command/],
  ['node.health', { nodes: 'one' }, 'invalid-input', /nodes/],
  ['workload.run', {}, 'unknown-command', /no command "workload.run"/],
])('%s %j is refused', async (name, params, code, message) => {
  await using gateway = await TestGateway.open();
  await using _node = await machine().open(gateway.url);
  const connection = await gateway.registered();
  const { error } = await connection.command(name, params);
  expect(error?.code).toBe(code);
  expect(error?.message).toMatch(message);
});

test('a request that comes twice is answered once', async () => {
  await using gateway = await TestGateway.open();
  await using _node = await machine().open(gateway.url);
  const connection = await gateway.registered();
  for (let copy = 0; copy < 2; copy += 1) {
    connection.send({
      case: 'command',
      value: { requestId: 'same', name: 'node.capabilities', params: Buffer.from('{}'), deadlineMs: 1000 },
    });
  }
  await connection.command('node.capabilities', {});
  expect(connection.all('commandResult').filter(({ requestId }) => requestId === 'same')).toHaveLength(1);
});

test('a command that is off says so and where', async () => {
  await using gateway = await TestGateway.open();
  const features = { features: ['node.health'], source: '/etc/clawnode.toml' };
  await using _node = await machine().open(gateway.url, { features });
  const connection = await gateway.registered();
  expect(connection.register.commands).toEqual(['node.health']);
  expect(await answer(connection, 'container.exec', {})).toMatchObject({
    error: {
      code: 'command-disabled',
      message: expect.stringContaining('among the features in /etc/clawnode.toml'),
    },
  });
});

test('health names what is wrong with which part', async () => {
  const inventory = await virtualHardware().detect({});
  const sample = await virtualHardware().sample({});
  const gpu = {
    ...{ id: 'g0', index: 0, vendor: 'nvidia' as const, model: 'H100', memoryMib: 100, simulated: true },
    health: { state: 'unhealthy' as const, reason: 'Xid 79' },
  };
  const findings = findingsOf(
    {
      ...inventory,
      gpus: [gpu],
      executors: [],
      probes: [{ name: 'nvidia-smi', outcome: 'timed-out', durationMs: 1 }],
    },
    {
      gpus: [
        {
          ...gpu,
          deviceId: 'g0',
          utilizationPercent: 0,
          memoryUsedMib: 97,
          temperatureC: 0,
          powerW: 0,
          clockMhz: 0,
          eccUncorrected: 0,
        },
      ],
      system: { ...sample.system, diskUsedMib: 99, diskTotalMib: 100 },
    },
    95,
  );
  expect(findings.map(({ subject, severity }) => [subject, severity])).toEqual([
    ['g0', 'warning'],
    ['g0', 'warning'],
    ['nvidia-smi', 'warning'],
    ['executors', 'critical'],
    ['disk', 'warning'],
  ]);
  expect(findings[0]?.message).toBe('H100 is unhealthy: Xid 79.');
});
