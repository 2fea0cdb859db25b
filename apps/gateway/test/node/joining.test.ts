// Shows who gets into the fleet over a real socket, who does not and what each is told, and that two
// connections or two names cannot disturb each other.
import { generateKeyPair } from '@clawbernetes/identity';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeNode, status } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway, type LocalGateway } from '../support/local-gateway.ts';
import { waitUntil } from '../support/wait-until.ts';

let gateway: LocalGateway;
beforeEach(async () => {
  gateway = await startGateway();
});

const connectivity = async (name: string): Promise<string> =>
  (await gateway.api.call('node.info', { node: name })).connectivity;

async function refusal(node: FakeNode): Promise<{ code: string; message: string; fatal: boolean }> {
  const { code, message, fatal } = await node.next('error');
  expect((await node.closed).code).toBe(4400);
  return { code, message, fatal };
}

describe('the way in', () => {
  test('a token lets a node in once; its grant lets it come back without', async () => {
    const { node, nodeId, grant } = await joinFleet(gateway, 'node-a');
    expect(await gateway.api.call('node.info', { node: 'node-a' })).toMatchObject({
      id: nodeId,
      approved: true,
      connectivity: 'connected',
      eligibility: 'schedulable',
    });
    node.socket.close();
    await waitUntil('the gateway notices', async () => (await connectivity('node-a')) === 'suspect');
    const again = await FakeNode.connect(gateway.nodeUrl, node.key);
    expect((await again.join({ name: 'node-a', grant })).nodeId).toBe(nodeId);
    expect(await connectivity('node-a')).toBe('connected');
  });

  test('without a token it waits, connected, until a person approves it', async () => {
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ name: 'stranger' });
    const { message, nodeId } = await node.next('pending');
    expect(message).toContain('clawbernetes node approve stranger');
    const pending = await gateway.api.call('node.pending', {});
    expect(pending.nodes).toMatchObject([{ id: nodeId, name: 'stranger', eligibility: 'joining' }]);
    const { id } = await gateway.api.call('workload.run', { spec: { command: ['x'] } });
    expect((await gateway.api.call('workload.inspect', { workload: id })).state).toBe('queued');
    await gateway.api.call('node.approve', { node: 'stranger' });
    expect((await node.next('registered')).nodeId).toBe(nodeId);
    node.list();
    expect((await node.offer(id)).attemptId).toMatch(/^at-/);
  });

  test('a token may ask for approval all the same', async () => {
    const { token: joinToken } = await gateway.api.call('node.token', { approve: false });
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ joinToken });
    expect((await node.next('pending')).message).toContain('node approve node-a');
  });

  test('one that is approved while it is away is let in when it returns', async () => {
    const first = await FakeNode.connect(gateway.nodeUrl);
    first.register({ name: 'stranger' });
    const { nodeId } = await first.next('pending');
    first.socket.terminate();
    await gateway.api.call('node.approve', { node: 'stranger' });
    const second = await FakeNode.connect(gateway.nodeUrl, first.key);
    expect((await second.join({ name: 'stranger' })).nodeId).toBe(nodeId);
  });
});

describe('who is kept out', () => {
  const withToken = async (change: (token: string) => string): Promise<FakeNode> => {
    const { token } = await gateway.api.call('node.token', {});
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ joinToken: change(token) });
    return node;
  };

  test.each([
    ['not a token', () => 'let-me-in'],
    [
      'a token whose secret is not the right one',
      (token: string) => `${token.slice(0, 40)}AAAA${token.slice(44)}`,
    ],
  ])('%s', async (_name, change) => {
    const { code, fatal, message } = await refusal(await withToken(change));
    expect({ code, fatal }).toEqual({ code: 'bad-join-token', fatal: true });
    expect(message).toContain('clawbernetes node token');
    expect((await gateway.api.call('node.list', {})).nodes).toEqual([]);
  });

  test('a token that was used, though its own node may come back with it', async () => {
    const { token: joinToken } = await gateway.api.call('node.token', {});
    const first = await FakeNode.connect(gateway.nodeUrl);
    await first.join({ name: 'first', joinToken });
    const second = await FakeNode.connect(gateway.nodeUrl);
    second.register({ name: 'second', joinToken });
    expect((await refusal(second)).code).toBe('bad-join-token');
    const back = await FakeNode.connect(gateway.nodeUrl, first.key);
    await back.join({ name: 'first', joinToken });
  });

  test('a token that is too old', async () => {
    const { token: joinToken, expiresAtMs } = await gateway.api.call('node.token', { lifetimeMs: 1000 });
    await waitUntil('the token is too old', () => Date.now() > expiresAtMs);
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ joinToken });
    expect((await refusal(node)).code).toBe('bad-join-token');
  });

  test('a proof by another key, and the right proof of another connection', async () => {
    const { token: joinToken } = await gateway.api.call('node.token', {});
    const [thief, other] = [await FakeNode.connect(gateway.nodeUrl), await FakeNode.connect(gateway.nodeUrl)];
    thief.register({ joinToken, signature: other.proof() });
    expect(await refusal(thief)).toMatchObject({ code: 'bad-proof', fatal: true });
    const replaying = await FakeNode.connect(gateway.nodeUrl, other.key);
    replaying.register({ joinToken, signature: other.proof() });
    expect((await refusal(replaying)).code).toBe('bad-proof');
    // Neither has used up the token.
    await other.join({ joinToken });
  });

  test('a grant that was given to another node counts for nothing', async () => {
    const { grant } = await joinFleet(gateway, 'node-a');
    const thief = await FakeNode.connect(gateway.nodeUrl);
    thief.register({ name: 'thief', grant });
    expect((await thief.next('pending')).message).toContain('node approve thief');
  });

  test('an older agent gets no work that must end without contact, and the work says why', async () => {
    await joinFleet(gateway);
    const { id } = await gateway.api.call('workload.run', {
      spec: { command: ['work'], onDisconnect: { action: 'stop', afterMs: 60_000 } },
      waitMs: 10_000,
    });
    const view = await gateway.api.call('workload.inspect', { workload: id });
    expect(view).toMatchObject({ state: 'failed', endReason: 'executor-unavailable' });
    expect(view.message).toContain('update clawnode there');
  });

  test('an older agent gets no members of gangs, which would not wait for each other there', async () => {
    await joinFleet(gateway);
    const { id } = await gateway.api.call('workload.run', {
      spec: { command: ['work'], gang: { members: 2 } },
      waitMs: 10_000,
    });
    const view = await gateway.api.call('workload.inspect', { workload: id });
    expect(view).toMatchObject({ state: 'failed', endReason: 'launch-failed' });
    expect(view.message).toContain('update clawnode there');
  });

  test('versions that do not meet: it is told which, and that trying again is of no use', async () => {
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ versions: { min: 7, max: 9 } });
    const { code, message, fatal } = await refusal(node);
    expect({ code, fatal }).toEqual({ code: 'protocol-version', fatal: true });
    expect(message).toMatch(/1–2.*7–9.*upgrade/);
  });

  test('a name or an inventory that makes no sense', async () => {
    const { token: joinToken } = await gateway.api.call('node.token', {});
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ name: 'Not A Name', joinToken });
    expect(await refusal(node)).toMatchObject({ code: 'bad-registration', fatal: true });
    const other = await FakeNode.connect(gateway.nodeUrl);
    other.register({ inventory: { cpu: 'none' } as never, joinToken });
    expect((await refusal(other)).message).toContain('memoryMib');
  });
});

describe('two of them', () => {
  test('with one name: the second is refused and keeps its token, the first works on', async () => {
    const { node: first } = await joinFleet(gateway, 'twin');
    const { token: joinToken } = await gateway.api.call('node.token', {});
    const second = await FakeNode.connect(gateway.nodeUrl);
    second.register({ name: 'twin', joinToken });
    const { code, message, fatal } = await refusal(second);
    expect({ code, fatal }).toEqual({ code: 'name-taken', fatal: true });
    expect(message).toContain('--name');
    await offered(gateway.api, first);
    const renamed = await FakeNode.connect(gateway.nodeUrl, second.key);
    await renamed.join({ name: 'other', joinToken });
  });

  test('connections of one node: the newer counts, the older is told, and its work goes on', async () => {
    const { node: older, grant } = await joinFleet(gateway, 'node-a');
    const { workload, offer } = await offered(gateway.api, older);
    older.report(status(offer, { state: 'running' }));
    await older.next('statusAck');
    const newer = await FakeNode.connect(gateway.nodeUrl, older.key);
    await newer.join({ name: 'node-a', grant });
    expect((await older.closed).code).toBe(4409);
    await newer.next('desiredState');
    newer.list(status(offer, { state: 'running' }));
    await newer.next('logStart', ({ attemptId }) => attemptId === offer.attemptId);
    expect(await connectivity('node-a')).toBe('connected');
    const view = await gateway.api.call('workload.inspect', { workload });
    expect(view).toMatchObject({ state: 'running', attempt: { id: offer.attemptId } });
    newer.report(status(offer, { state: 'exited', exitCode: 0, revision: 2 }));
    await newer.next('statusAck');
    expect((await gateway.api.call('workload.inspect', { workload })).state).toBe('succeeded');
  });

  test('what the older connection still says after the newer was let in does not count', async () => {
    const { node: older, grant } = await joinFleet(gateway, 'node-a');
    const { workload, offer } = await offered(gateway.api, older);
    // It does not see that it is told to close, so its connection stays open.
    older.socket.pause();
    const newer = await FakeNode.connect(gateway.nodeUrl, older.key);
    await newer.join({ name: 'node-a', grant });
    older.report(status(offer, { state: 'exited', exitCode: 0 }));
    newer.list(status(offer, { state: 'running' }));
    await waitUntil('it runs', async () => {
      const { state } = await gateway.api.call('workload.inspect', { workload });
      expect(state).not.toBe('succeeded');
      return state === 'running';
    });
    older.report(status(offer, { state: 'exited', exitCode: 0, revision: 2 }));
    await newer.settle();
    await gateway.api.call('node.info', { node: 'node-a' });
    expect((await gateway.api.call('workload.inspect', { workload })).state).toBe('running');
  });

  test('a command that waits for the older connection fails at once instead of at its deadline', async () => {
    const { node, grant } = await joinFleet(gateway, 'node-a', { commands: ['node.health'] });
    const answer = gateway.api.refusal('node.health', { node: 'node-a' });
    await node.next('command');
    const newer = await FakeNode.connect(gateway.nodeUrl, node.key);
    await newer.join({ name: 'node-a', grant });
    expect(await answer).toMatchObject({ status: 503, code: 'node-unreachable' });
  });

  test('that wait for approval with one key: the newer takes the place', async () => {
    const key = generateKeyPair();
    const [older, newer] = [
      await FakeNode.connect(gateway.nodeUrl, key),
      await FakeNode.connect(gateway.nodeUrl, key),
    ];
    older.register({});
    await older.next('pending');
    newer.register({});
    await newer.next('pending');
    expect((await older.closed).code).toBe(4409);
    await gateway.api.call('node.approve', { node: 'node-a' });
    await newer.next('registered');
  });
});
