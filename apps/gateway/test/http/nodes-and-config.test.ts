// Shows draining of nodes, commands that a node answers, and versioned configuration, over HTTP and over a
// restart.
import { beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { status } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway, type RestartableGateway } from '../support/local-gateway.ts';

let gateway: RestartableGateway;
let api: ApiClient;
beforeEach(async () => {
  gateway = await startGateway();
  ({ api } = gateway);
});

const eligibility = async (): Promise<string> =>
  (await api.call('node.info', { node: 'node-a' })).eligibility;

describe('draining', () => {
  test('places nothing more, lets work end, and is undone', async () => {
    const { node } = await joinFleet(gateway);
    const { workload, offer } = await offered(api, node);
    expect((await api.call('node.drain', { node: 'node-a' })).eligibility).toBe('draining');
    const { id: late } = await api.call('workload.run', { spec: { command: ['late'] } });
    expect((await api.call('workload.inspect', { workload: late })).waiting?.message).toContain('draining');
    node.report(status(offer, { state: 'exited', exitCode: 0 }));
    await node.next('statusAck');
    expect((await api.call('workload.inspect', { workload })).state).toBe('succeeded');
    expect(await eligibility()).toBe('drained');
    expect((await api.call('node.undrain', { node: 'node-a' })).eligibility).toBe('schedulable');
    expect((await node.offer(late)).attemptId).toMatch(/^at-/);
  });

  test('by force stops the work as well', async () => {
    const { node } = await joinFleet(gateway);
    const { workload, offer } = await offered(api, node);
    await api.call('node.drain', { node: 'node-a', force: true });
    expect(await node.next('stopWorkload')).toMatchObject({ attemptId: offer.attemptId, graceful: true });
    node.report(status(offer, { state: 'killed', reason: 'stopped' }));
    await node.next('statusAck');
    expect((await api.call('workload.inspect', { workload })).state).toBe('cancelled');
    expect(await eligibility()).toBe('drained');
  });

  test('of an idle node is over at once, and outlives a restart', async () => {
    await joinFleet(gateway);
    expect((await api.call('node.drain', { node: 'node-a' })).eligibility).toBe('drained');
    ({ api } = await gateway.restart());
    expect(await eligibility()).toBe('drained');
    expect(await api.refusal('node.drain', { node: 'nobody' })).toMatchObject({
      status: 404,
      code: 'not-found',
    });
  });
});

describe('a command that a node answers', () => {
  const health = { node: 'node-a', health: 'healthy', findings: [] };
  const answer = (requestId: string, value: object) => ({
    case: 'commandResult' as const,
    value: { requestId, output: new Uint8Array(), ...value },
  });

  test('goes to the only node, and its answer comes back', async () => {
    const { node } = await joinFleet(gateway);
    const asked = api.call('node.health', {});
    const { requestId, name } = await node.next('command');
    expect(name).toBe('node.health');
    node.send(answer('rq-somebody-else', { output: Buffer.from('"wrong"') }));
    node.send(answer(requestId, { output: Buffer.from(JSON.stringify(health)) }));
    node.send(answer(requestId, { output: Buffer.from('"twice"') }));
    expect(await asked).toEqual(health);
  });

  test.each([
    ['no JSON', { output: Buffer.from('{') }, 500, 'internal'],
    ['something else than the command answers', { output: Buffer.from('{"node":1}') }, 500, 'internal'],
    [
      'that it is switched off',
      { error: { code: 'command-disabled', message: 'off here' } },
      409,
      'command-disabled',
    ],
    ['with a code that nobody knows', { error: { code: 'weird', message: 'odd' } }, 500, 'internal'],
  ])('and that answers %s is an error that says so', async (_what, value, code, name) => {
    const { node } = await joinFleet(gateway);
    const asked = api.refusal('node.health', {});
    node.send(answer((await node.next('command')).requestId, value));
    expect(await asked).toMatchObject({ status: code, code: name });
  });

  test('fails at once when its node goes away, is unknown, or is one of several', async () => {
    const { node } = await joinFleet(gateway);
    const asked = api.refusal('node.health', {});
    await node.next('command');
    node.socket.terminate();
    expect(await asked).toMatchObject({ status: 503, code: 'node-unreachable' });
    expect(await api.refusal('node.health', {})).toMatchObject({ code: 'node-unreachable' });
    await joinFleet(gateway, 'node-b');
    const { code, message } = await api.refusal('gpu.metrics', {});
    expect(code).toBe('node-ambiguous');
    expect(message).toContain('node-a, node-b');
    expect(await api.refusal('system.info', { node: 'node-c' })).toMatchObject({ status: 404 });
  });

  test('about a workload needs one that runs', async () => {
    const { node } = await joinFleet(gateway);
    const { workload, offer } = await offered(api, node);
    expect(await api.refusal('workload.stats', { workload })).toMatchObject({
      status: 409,
      code: 'not-running',
    });
    node.report(status(offer, { state: 'running' }));
    await node.next('statusAck');
    const stats = api.call('workload.stats', { workload });
    const { requestId, params } = await node.next('command');
    expect(JSON.parse(Buffer.from(params).toString())).toEqual({ workload, attemptId: offer.attemptId });
    const measured = { workload, cpuMs: 1, memoryBytes: 2, processes: 3 };
    node.send(answer(requestId, { output: Buffer.from(JSON.stringify(measured)) }));
    expect(await stats).toEqual(measured);
  });
});

describe('configuration', () => {
  test('has versions that stay readable, over a restart too', async () => {
    const first = { a: [1, null, 'ü'] };
    await api.call('config.create', { key: 'team/app', value: first });
    await api.call('config.update', { key: 'team/app', value: 'two' });
    await api.call('config.update', { key: 'team/app', value: 3, expectedVersion: 2 });
    ({ api } = await gateway.restart());
    for (const [index, value] of [first, 'two', 3].entries())
      expect(await api.call('config.get', { key: 'team/app', version: index + 1 })).toMatchObject({ value });
    expect(await api.call('config.get', { key: 'team/app' })).toMatchObject({ version: 3, value: 3 });
    expect(await api.refusal('config.get', { key: 'team/app', version: 9 })).toMatchObject({
      code: 'not-found',
    });
  });

  test('does not lose an update: of two that read one version, one is told', async () => {
    await api.call('config.create', { key: 'k', value: 0 });
    const update = (value: number) =>
      api.post('config.update', JSON.stringify({ key: 'k', value, expectedVersion: 1 }));
    const replies = await Promise.all([update(1), update(2)]);
    expect(replies.map((reply) => reply.status).toSorted((left, right) => left - right)).toEqual([200, 409]);
    expect(replies.find((reply) => reply.status === 409)?.body.code).toBe('conflict');
    expect(await api.refusal('config.delete', { key: 'k', expectedVersion: 1 })).toMatchObject({
      code: 'conflict',
    });
  });

  test('is created once, deleted whole, and may be created anew', async () => {
    await api.call('config.create', { key: 'k', value: 1 });
    expect(await api.refusal('config.create', { key: 'k', value: 2 })).toMatchObject({ code: 'name-taken' });
    await api.call('config.update', { key: 'k', value: 2 });
    expect(await api.call('config.delete', { key: 'k', expectedVersion: 2 })).toEqual({
      key: 'k',
      deleted: true,
    });
    for (const name of ['config.get', 'config.delete', 'config.update'])
      expect(await api.refusal(name, { key: 'k', value: 1 }).then(({ code }) => code)).toMatch(
        /not-found|invalid-input/,
      );
    await api.call('config.create', { key: 'k', value: 3 });
    ({ api } = await gateway.restart());
    expect(await api.call('config.get', { key: 'k' })).toMatchObject({ version: 1, value: 3 });
  });

  test('is listed by prefix in pages, in the order of keys', async () => {
    const keys = ['a', 'b/1', 'b/2', 'b/3', 'c'];
    for (const key of keys.toReversed()) await api.call('config.create', { key, value: key });
    const first = await api.call('config.list', { prefix: 'b/', limit: 2 });
    expect(first.entries.map(({ key }) => key)).toEqual(['b/1', 'b/2']);
    const second = await api.call('config.list', { prefix: 'b/', limit: 2, cursor: first.next });
    expect(second.entries.map(({ key }) => key)).toEqual(['b/3']);
    expect(second.next).toBeUndefined();
    expect((await api.call('config.list', {})).entries).toHaveLength(5);
  });

  test('that is too large or badly named is refused', async () => {
    for (const input of [
      { key: '../x', value: 1 },
      { key: '', value: 1 },
      { key: 'k', value: 'x'.repeat(262_144) },
    ])
      expect(await api.refusal('config.create', input)).toMatchObject({ status: 400, code: 'invalid-input' });
  });

  test('is watched through the events: every change, in order, with its version', async () => {
    const { next } = await api.call('event.list', {});
    const watched = api.events({ from: next }, (events) => events.at(-1)?.type === 'config.deleted');
    await api.call('config.create', { key: 'k', value: 1 });
    await api.call('config.update', { key: 'k', value: 2 });
    await api.call('config.delete', { key: 'k' });
    expect((await watched).map(({ type, subject, facts }) => [type, subject, facts['version']])).toEqual([
      ['config.created', 'k', 1],
      ['config.updated', 'k', 2],
      ['config.deleted', 'k', 2],
    ]);
  });
});
