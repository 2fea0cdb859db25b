// Shows how a node joins: over a real WebSocket, with a token, waiting for approval, and refusing the wrong
// gateway.
import { expect, test } from 'vitest';
import { verifyGrant } from '@clawbernetes/identity';
import { exitCodeOf } from '../../src/errors.ts';
import { until } from '../../src/testing/until.ts';
import { machine } from './opened-node.ts';
import { TestGateway } from './test-gateway.ts';

test('a node joins with a token and comes back with its grant', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  const joinToken = gateway.token();
  {
    await using node = await host.open(gateway.url, { joinToken, labels: { zone: 'a' } });
    const connection = await gateway.registered();
    expect(connection.register).toMatchObject({ name: 'one', joinToken, labels: { zone: 'a' } });
    expect(connection.register.grant).toHaveLength(0);
    expect(connection.register.commands).toContain('container.exec');
    await until(
      'the node knows',
      () => node.phase === 'registered' && host.memberships.present !== undefined,
    );
  }
  await using _again = await host.open(gateway.url, { joinToken });
  const { register } = await gateway.registered(2);
  expect(register.joinToken).toBe('');
  expect(verifyGrant(gateway.key.publicKey, register.grant, register.publicKey)).toBe(true);
});

test('a membership that could not be saved, on a full disk, is saved with the next connection', async () => {
  await using gateway = await TestGateway.open();
  const host = machine();
  const save = host.memberships.save.bind(host.memberships);
  host.memberships.save = () => Promise.reject(new Error('ENOSPC: no space left on device'));
  await using _node = await host.open(gateway.url, { joinToken: gateway.token() });
  const first = await gateway.registered();
  await until('it says so', () => host.lines.some((line) => line.includes('ENOSPC')));
  host.memberships.save = save;
  first.socket.terminate();
  await gateway.registered(2);
  await until('it is saved', () => host.memberships.present !== undefined);
  expect(host.memberships.present?.gatewayId).toBe(gateway.id);
});

test('an unapproved node waits on its connection and is let in there', async () => {
  await using gateway = await TestGateway.open({ approve: false });
  const host = machine();
  await using node = await host.open(gateway.url);
  await until('it waits', () => node.phase === 'pending');
  expect(host.lines.join('\n')).toContain('clawbernetes node approve');
  gateway.connections[0]?.admit();
  await until('it is in', () => node.phase === 'registered');
  expect(gateway.connections).toHaveLength(1);
});

test('a node does not change its gateway', async () => {
  await using first = await TestGateway.open();
  await using other = await TestGateway.open();
  const host = machine();
  {
    await using _node = await host.open(first.url);
    await until('it remembers', () => host.memberships.present !== undefined);
  }
  await using node = await host.open(other.url);
  const reason = await node.ended;
  expect(reason?.message).toContain(`belongs to gateway ${first.id}, but ${other.id}`);
  expect(reason?.message).toContain('delete membership.json');
  expect(exitCodeOf(reason)).toBe(3);
});

test('a token of another gateway is not given away', async () => {
  await using other = await TestGateway.open();
  await using gateway = await TestGateway.open();
  await using node = await machine().open(gateway.url, { joinToken: other.token() });
  expect(await node.ended).toMatchObject({ code: 'wrong-gateway' });
  expect(gateway.connections[0]?.all('register')).toEqual([]);
});

test('a gateway that cannot prove its key is not obeyed', async () => {
  await using gateway = await TestGateway.open({ forgeProof: true });
  const host = machine();
  await using node = await host.open(gateway.url);
  await until('it turned away', () =>
    host.lines.some((line) => line.includes('did not prove that it holds')),
  );
  expect(node.phase).not.toBe('registered');
  expect(host.memberships.present).toBeUndefined();
});

test('no common version ends the node and says which end to update', async () => {
  await using gateway = await TestGateway.open({ versions: { min: 7, max: 9 } });
  await using node = await machine().open(gateway.url);
  const reason = await node.ended;
  expect(reason?.message).toMatch(/versions 7–9 .* this node 1–2: update this node/);
  expect(exitCodeOf(reason)).toBe(1);
});

test.each([
  ['bad-join-token', 3],
  ['name-taken', 1],
])('a fatal refusal (%s) ends the node with its message and exit code %i', async (code, exitCode) => {
  await using gateway = await TestGateway.open({ approve: false });
  await using node = await machine().open(gateway.url);
  await until('it waits', () => node.phase === 'pending');
  gateway.connections[0]?.send({ case: 'error', value: { code, message: 'Do this.', fatal: true } });
  const reason = await node.ended;
  expect([reason?.message, exitCodeOf(reason)]).toEqual(['Do this.', exitCode]);
  expect(gateway.connections).toHaveLength(1);
});

test('a node that may try only so often gives up with what to check', async () => {
  await using gateway = await TestGateway.open();
  await gateway.stop();
  await using node = await machine().open(gateway.url, { maxReconnectAttempts: 2, reconnectIntervalMs: 10 });
  const reason = await node.ended;
  expect(reason?.message).toMatch(/could not be reached in 3 tries \(.*ECONNREFUSED.*\). Check that it runs/);
  expect(exitCodeOf(reason)).toBe(2);
});
