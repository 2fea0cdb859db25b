// Shows that reports of attempts may be repeated, late, reordered, lost or somebody else's, and that what
// differs between a node and the fleet is repaired.
import { DEFAULT_FLEET_OPTIONS } from '@clawbernetes/fleet';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { status, type FakeNode, type Offer } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway, type LocalGateway } from '../support/local-gateway.ts';
import { nodeInventory } from '../support/node-inventory.ts';
import { waitUntil } from '../support/wait-until.ts';

let gateway: LocalGateway;
let api: ApiClient;
let node: FakeNode;
beforeEach(async () => {
  gateway = await startGateway({ fleet: { ...DEFAULT_FLEET_OPTIONS, offerAgainAfterMs: 0 } });
  ({ api } = gateway);
  ({ node } = await joinFleet(gateway, 'node-a', { gpus: 2 }));
});

const inspect = (workload: string) => api.call('workload.inspect', { workload });

/** Reports and waits for the acknowledgement of this very revision. */
async function acknowledged(from: FakeNode, ...facts: Parameters<typeof status>): Promise<void> {
  const sent = status(...facts);
  from.report(sent);
  await from.next('statusAck', ({ revisions }) =>
    revisions.some((one) => one.attemptId === sent.attemptId && one.revision === BigInt(sent.revision)),
  );
}

describe('reports', () => {
  test('a repeat is acknowledged again and changes nothing: a lost acknowledgement costs nothing', async () => {
    const { workload, offer } = await offered(api, node);
    for (let copies = 0; copies < 3; copies += 1)
      await acknowledged(node, offer, { state: 'running', revision: 2, startedAtMs: 7 });
    const { state, startedAtMs, events } = await inspect(workload);
    expect({ state, startedAtMs }).toEqual({ state: 'running', startedAtMs: 7 });
    expect(events.filter(({ type }) => type === 'attempt.running')).toHaveLength(1);
  });

  test('the end counts even if it comes before the beginning, and what comes late changes nothing', async () => {
    const { workload, offer } = await offered(api, node, { resources: { gpus: 1 } });
    await acknowledged(node, offer, { state: 'exited', exitCode: 3, revision: 5, finishedAtMs: 9 });
    await acknowledged(node, offer, { state: 'running', revision: 4 });
    await acknowledged(node, offer, { state: 'exited', exitCode: 0, revision: 6 });
    expect(await inspect(workload)).toMatchObject({ state: 'failed', exitCode: 3, finishedAtMs: 9 });
    expect((await api.call('node.info', { node: 'node-a' })).free.gpus).toBe(2);
  });

  test('all states in one frame, in any order, come to the same end', async () => {
    const { workload, offer } = await offered(api, node);
    node.report(
      status(offer, { state: 'running', revision: 3 }),
      status(offer, { state: 'accepted', revision: 1 }),
      status(offer, { state: 'killed', signal: 'SIGKILL', reason: 'out-of-memory', revision: 4 }),
      status(offer, { state: 'preparing', revision: 2 }),
    );
    expect((await node.next('statusAck')).revisions).toHaveLength(4);
    expect(await inspect(workload)).toMatchObject({ state: 'failed', endReason: 'out-of-memory' });
  });

  test('under another epoch, or from another node, they are acknowledged and ignored', async () => {
    const { node: other } = await joinFleet(gateway, 'node-b');
    const { workload, offer } = await offered(api, node, { resources: { gpus: 1 } });
    const { term, counter } = offer.epoch;
    const foreign: Offer = { ...offer, epoch: { term, counter: counter + 1 } };
    await acknowledged(node, foreign, { state: 'exited', exitCode: 0 });
    await acknowledged(other, offer, { state: 'exited', exitCode: 0 });
    await acknowledged(other, { attemptId: 'at-nobody', epoch: { term: 1, counter: 1 } }, { state: 'lost' });
    expect((await inspect(workload)).state).toBe('reserved');
    await acknowledged(node, offer, { state: 'exited', exitCode: 0 });
    expect((await inspect(workload)).state).toBe('succeeded');
  });

  test('a number that cannot be counted ends that node’s connection, and nobody else’s work', async () => {
    const { node: other } = await joinFleet(gateway, 'node-b');
    const { workload, offer } = await offered(api, node, { resources: { gpus: 1 } });
    const revision = 2n ** 64n - 1n;
    other.send({ case: 'statusReport', value: { statuses: [{ attemptId: 'x', revision, state: 1 }] } });
    expect((await other.next('error')).code).toBe('bad-frame');
    await other.closed;
    await acknowledged(node, offer, { state: 'exited', exitCode: 0 });
    expect((await inspect(workload)).state).toBe('succeeded');
  });
});

describe('repair', () => {
  test('an order that was lost on the way is given again, under the same epoch', async () => {
    const { workload, offer } = await offered(api, node);
    node.list();
    expect(await node.offer(workload)).toEqual(offer);
  });

  test('a list that may be older than the order does not repeat it, nor give its GPUs to others', async () => {
    const patient = await startGateway();
    const { node: slow } = await joinFleet(patient, 'node-a', { gpus: 1 });
    const { workload, offer } = await offered(patient.api, slow, { resources: { gpus: 1 } });
    await patient.api.call('workload.stop', { workload });
    slow.list();
    await slow.settle();
    expect(slow.inbox.filter((body) => body.case === 'startWorkload')).toEqual([]);
    const { state, attempt } = await patient.api.call('workload.inspect', { workload });
    expect({ state, attempt: attempt?.state }).toEqual({ state: 'stopping', attempt: 'placed' });
    await acknowledged(slow, offer, { state: 'killed', reason: 'stopped' });
    expect((await patient.api.call('workload.inspect', { workload })).state).toBe('cancelled');
  });

  test('a heartbeat whose digest differs is answered with the wish for a list, one that agrees is not', async () => {
    const { offer } = await offered(api, node);
    await node.settle();
    await node.next('desiredState');
    await node.next('desiredState');
    expect(node.inbox.filter((body) => body.case === 'desiredState')).toEqual([]);
    node.heartbeat(offer);
    await node.next('leaseGrant');
    node.heartbeat();
    await node.next('desiredState', ({ listAttempts }) => listAttempts);
    expect(node.inbox.filter((body) => body.case === 'desiredState')).toEqual([]);
  });

  test('what the node holds but should not is stopped: unknown, ended, of another node, of an older epoch', async () => {
    const { node: other } = await joinFleet(gateway, 'node-b', { gpus: 1 });
    const { workload, offer } = await offered(api, node, { resources: { gpus: 2 } });
    const { offer: ended } = await offered(api, node);
    await acknowledged(node, ended, { state: 'exited', exitCode: 0 });
    const stray: Offer = { attemptId: 'at-stray', epoch: { term: 1, counter: 999 } };
    const old: Offer = { ...offer, epoch: { term: offer.epoch.term, counter: 0 } };
    node.list(...[stray, old, ended].map((one) => status(one, { state: 'running' })));
    for (const { attemptId } of [stray, old, ended]) {
      const stop = await node.next('stopWorkload', (value) => value.attemptId === attemptId);
      expect(stop).toMatchObject({ graceful: false, reason: 'unwanted' });
    }
    // Under its own epoch it is still wanted.
    expect(await node.offer(workload)).toEqual(offer);
    other.list(status(offer, { state: 'running' }));
    await other.next('stopWorkload');
    expect((await inspect(workload)).state).toBe('reserved');
  });

  test('a node that holds what it should not gets new work only when that is gone', async () => {
    const stray: Offer = { attemptId: 'at-stray', epoch: { term: 1, counter: 999 } };
    node.list(status(stray, { state: 'running' }));
    await node.next('stopWorkload');
    const { id } = await api.call('workload.run', { spec: { command: ['work'], resources: { gpus: 2 } } });
    await node.next('desiredState');
    expect(await api.call('workload.inspect', { workload: id })).toMatchObject({
      state: 'queued',
      waiting: { reason: 'no-nodes', message: expect.stringContaining('node-a is reconnecting') },
    });
    node.report(status(stray, { state: 'running', revision: 2 }));
    node.report(status(stray, { state: 'killed', reason: 'stopped', revision: 3 }));
    await node.next('desiredState', ({ listAttempts }) => listAttempts);
    expect(node.inbox.filter((body) => body.case === 'startWorkload')).toEqual([]);
    node.list(status(stray, { state: 'killed', reason: 'stopped', revision: 3 }));
    expect((await node.offer(id)).attemptId).toMatch(/^at-/);
  });

  test('what the node had accepted and no longer knows is lost, and its GPUs are free', async () => {
    const { workload, offer } = await offered(api, node, { resources: { gpus: 2 } });
    await acknowledged(node, offer, { state: 'running', revision: 3 });
    node.list();
    await node.settle();
    expect(await inspect(workload)).toMatchObject({ state: 'failed', attempt: { state: 'lost' } });
    expect((await api.call('node.info', { node: 'node-a' })).free.gpus).toBe(2);
  });

  test('a stop that the node missed is asked for again when it lists the attempt', async () => {
    const { workload, offer } = await offered(api, node);
    await acknowledged(node, offer, { state: 'running', revision: 3 });
    await api.call('workload.stop', { workload });
    await node.next('stopWorkload');
    node.list(status(offer, { state: 'running', revision: 3 }));
    expect(await node.next('stopWorkload')).toMatchObject({ attemptId: offer.attemptId, graceful: true });
  });
});

test('hardware that changes while connected is what the fleet then shows', async () => {
  node.listWithInventory(nodeInventory('node-a', 1));
  await waitUntil(
    'one GPU',
    async () => (await api.call('node.info', { node: 'node-a' })).capacity.gpus === 1,
  );
  const { gpus } = await api.call('gpu.list', { node: 'node-a' });
  expect(gpus.map(({ state }) => state)).toEqual(['free', 'missing']);
});
