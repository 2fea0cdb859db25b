// Shows the workload commands over HTTP: waiting, paging, repeating, naming and stopping in every state.
import { DEFAULT_FLEET_OPTIONS } from '@clawbernetes/fleet';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { FakeNode, status } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway, type LocalGateway } from '../support/local-gateway.ts';
import { waitUntil } from '../support/wait-until.ts';

const LEASE = { suspectAfterMs: 100, leaseMs: 300, lostAfterMs: 3_600_000 };

let gateway: LocalGateway;
let api: ApiClient;
beforeEach(async () => {
  gateway = await startGateway({ maxWaiters: 2, fleet: { ...DEFAULT_FLEET_OPTIONS, ...LEASE } });
  ({ api } = gateway);
});

const spec = { command: ['work'] };

async function report(node: FakeNode, ...facts: Parameters<typeof status>): Promise<void> {
  node.report(status(...facts));
  await node.next('statusAck');
}

describe('waiting', () => {
  test('answers as soon as the workload has ended', async () => {
    const { node } = await joinFleet(gateway);
    const answer = api.call('workload.run', { spec, waitMs: 60_000 });
    const offer = await node.offer();
    await report(node, offer, { state: 'exited', exitCode: 7 });
    expect(await answer).toMatchObject({ state: 'failed', exitCode: 7 });
  });

  test('answers what there is when the time is over', async () => {
    const { id, state, waiting } = await api.call('workload.run', { spec, waitMs: 50 });
    expect({ state, reason: waiting?.reason }).toEqual({ state: 'queued', reason: 'no-nodes' });
    expect((await api.call('workload.inspect', { workload: id, waitMs: 50 })).state).toBe('queued');
  });

  test('is bounded, and a caller who leaves makes room', async () => {
    const { id: workload } = await api.call('workload.run', { spec });
    const leaving = new AbortController();
    const wait = (signal: AbortSignal): Promise<Response> =>
      api.fetch('/api/commands/workload.inspect', {
        method: 'POST',
        body: JSON.stringify({ workload, waitMs: 60_000 }),
        headers: { 'content-type': 'application/json' },
        signal,
      });
    const waits = [1, 2].map(() => wait(leaving.signal).catch(() => undefined));
    const third = (): Promise<{ status: number; headers: Headers }> =>
      api.post('workload.inspect', JSON.stringify({ workload, waitMs: 1 }));
    const refused = await waitUntil('both wait', async () => {
      const reply = await third();
      return reply.status === 429 && reply;
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    leaving.abort();
    await Promise.all(waits);
    await waitUntil('their places are free', async () => (await third()).status === 200);
  });
});

describe('lists', () => {
  test('come in pages that miss and repeat nothing, though many were submitted in one millisecond', async () => {
    const made = await Promise.all(Array.from({ length: 45 }, () => api.call('workload.run', { spec })));
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await api.call('workload.list', { limit: 7, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.workloads.length).toBeLessThanOrEqual(7);
      seen.push(...page.workloads.map(({ id }) => id));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect(seen).toHaveLength(45);
    expect(new Set(seen)).toEqual(new Set(made.map(({ id }) => id)));
    expect(seen).toEqual(seen.toSorted().toReversed());
  });

  test('may be of some states only', async () => {
    const { node } = await joinFleet(gateway);
    const { workload, offer } = await offered(api, node);
    await report(node, offer, { state: 'exited', exitCode: 0 });
    await api.call('workload.run', { spec });
    const { workloads } = await api.call('workload.list', { states: ['succeeded', 'failed'] });
    expect(workloads.map(({ id }) => id)).toEqual([workload]);
  });
});

describe('repeating a submission', () => {
  test('with one key makes one workload, also when both come at once', async () => {
    const input = { spec, idempotencyKey: 'my-key-0001' };
    const [first, second] = await Promise.all([
      api.call('workload.run', input),
      api.call('workload.run', input),
    ]);
    expect(second.id).toBe(first.id);
    expect((await api.call('workload.list', {})).workloads).toHaveLength(1);
  });

  test('with one key and another body is a conflict', async () => {
    await api.call('workload.run', { spec, idempotencyKey: 'my-key-0001' });
    const other = { spec: { command: ['other'] }, idempotencyKey: 'my-key-0001' };
    expect(await api.refusal('workload.run', other)).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('with one name is refused while the first lives', async () => {
    const named = { spec: { ...spec, name: 'nightly' } };
    const { id } = await api.call('workload.run', named);
    expect(await api.refusal('workload.run', named)).toMatchObject({ status: 409, code: 'name-taken' });
    await api.call('workload.stop', { workload: 'nightly' });
    const again = await api.call('workload.run', named);
    expect(again.id).not.toBe(id);
    expect((await api.call('workload.inspect', { workload: 'nightly' })).id).toBe(again.id);
    expect((await api.call('workload.inspect', { workload: id })).state).toBe('cancelled');
  });
});

describe('stopping', () => {
  test('what still waits ends at once, without an attempt', async () => {
    const { id: workload } = await api.call('workload.run', { spec });
    expect((await api.call('workload.stop', { workload })).state).toBe('cancelled');
    expect((await api.call('workload.inspect', { workload })).attempts).toEqual([]);
  });

  test.each(['offered', 'accepted', 'preparing', 'running', 'stopping'] as const)(
    'what is %s is asked of its node, again whenever it is repeated, and ends when the node says so',
    async (state) => {
      const { node } = await joinFleet(gateway, 'node-a', { gpus: 1 });
      const { workload, offer } = await offered(api, node, { resources: { gpus: 1 } });
      if (state !== 'offered') await report(node, offer, { state, revision: 1 });
      expect((await api.call('workload.stop', { workload })).state).toBe('stopping');
      expect(await node.next('stopWorkload')).toMatchObject({
        attemptId: offer.attemptId,
        graceful: true,
        graceMs: 10_000,
      });
      expect((await api.call('workload.stop', { workload, force: true })).state).toBe('stopping');
      expect(await node.next('stopWorkload')).toMatchObject({ graceful: false, graceMs: 0 });
      // Only the node's word frees the GPU.
      expect((await api.call('gpu.list', {})).gpus[0]?.state).not.toBe('free');
      await report(node, offer, { state: 'killed', signal: 'SIGKILL', reason: 'stopped', revision: 2 });
      expect(await api.call('workload.inspect', { workload })).toMatchObject({
        state: 'cancelled',
        signal: 'SIGKILL',
      });
      expect((await api.call('gpu.list', {})).gpus[0]?.state).toBe('free');
    },
  );

  test('what has ended changes nothing', async () => {
    const { node } = await joinFleet(gateway);
    const { workload, offer } = await offered(api, node);
    await report(node, offer, { state: 'exited', exitCode: 0 });
    const before = await api.call('workload.inspect', { workload });
    expect((await api.call('workload.stop', { workload, force: true })).state).toBe('succeeded');
    expect(await api.call('workload.inspect', { workload })).toEqual(before);
  });

  test('by force gives up what runs on a node out of reach, and says who did; the node is told if it returns', async () => {
    const { node, grant } = await joinFleet(gateway, 'node-a', { gpus: 1 });
    const { workload, offer } = await offered(api, node, { resources: { gpus: 1 } });
    await report(node, offer, { state: 'running' });
    node.socket.terminate();
    await waitUntil('its lease runs out', async () => {
      const { attempt } = await api.call('workload.inspect', { workload });
      return attempt?.unknownSinceMs !== undefined;
    });
    expect((await api.call('gpu.list', {})).gpus[0]?.state).toBe('in-use');
    expect((await api.call('workload.stop', { workload })).state).toBe('stopping');
    expect((await api.call('workload.stop', { workload, force: true })).state).toBe('cancelled');
    const { events } = await api.call('workload.inspect', { workload });
    expect(events).toContainEqual(expect.objectContaining({ type: 'attempt.lost', cause: 'user' }));
    expect((await api.call('gpu.list', {})).gpus[0]?.state).toBe('free');
    const again = await FakeNode.connect(gateway.nodeUrl, node.key);
    await again.join({ grant });
    again.list(status(offer, { state: 'running' }));
    expect(await again.next('stopWorkload')).toMatchObject({
      attemptId: offer.attemptId,
      reason: 'unwanted',
    });
  });

  test('something that does not exist says where to look', async () => {
    expect(await api.refusal('workload.stop', { workload: 'nothing' })).toMatchObject({
      status: 404,
      code: 'not-found',
      message: expect.stringContaining('workload list'),
    });
  });
});
