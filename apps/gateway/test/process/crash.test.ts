// Shows that a gateway killed at any moment loses nothing it had acknowledged: work, events, epochs and logs.
import { fromWireEpoch } from '@clawbernetes/protocol';
import { describe, expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { FakeNode, status } from '../support/fake-node.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { expectAllKept, SEED } from '../support/expect-all-kept.ts';
import { logOf } from '../support/log-bytes.ts';
import { nodeInventory } from '../support/node-inventory.ts';
import { tempFolder } from '../support/temp-folder.ts';

const nodeUrlOf = (api: ApiClient): string => `${api.url.replace('http', 'ws')}/node`;

test(`SQLite: killed while clients submit (seed ${SEED})`, async () => {
  await expectAllKept({ home: await tempFolder() }, 4);
});

describe('with a node', () => {
  test('its work goes on over the kill, and what it reports afterwards counts', async () => {
    const home = await tempFolder();
    const first = new GatewayProcess({ home });
    const before = await first.ready();
    const { node, grant } = await joinFleet({ api: before, nodeUrl: nodeUrlOf(before) }, 'node-a', {
      gpus: 1,
    });
    const { workload, offer } = await offered(before, node, { resources: { gpus: 1 } });
    const { id: waiting } = await before.call('workload.run', {
      spec: { command: ['x'], resources: { gpus: 1 } },
    });
    node.report(status(offer, { state: 'running', startedAtMs: 5 }));
    await node.next('statusAck');
    await first.kill();
    await node.closed;

    const after = await new GatewayProcess({ home }).ready();
    const view = await after.call('workload.inspect', { workload });
    expect(view).toMatchObject({
      state: 'running',
      startedAtMs: 5,
      attempt: { id: offer.attemptId, epoch: offer.epoch },
    });
    expect((await after.call('node.info', { node: 'node-a' })).connectivity).toBe('suspect');
    const again = await FakeNode.connect(nodeUrlOf(after), node.key);
    await again.join({ grant, inventory: nodeInventory('node-a', 1) });
    again.list(status(offer, { state: 'exited', exitCode: 4, revision: 2 }));
    const next = await again.next('startWorkload', ({ workloadId }) => workloadId === waiting);
    expect(fromWireEpoch(next.epoch).term).toBeGreaterThan(offer.epoch.term);
    expect(await after.call('workload.inspect', { workload })).toMatchObject({
      state: 'failed',
      exitCode: 4,
    });
  });

  test('its log is followed over the kill from where the reader was, byte for byte', async () => {
    const home = await tempFolder();
    const first = new GatewayProcess({ home });
    const before = await first.ready();
    const { node, grant } = await joinFleet({ api: before, nodeUrl: nodeUrlOf(before) });
    const { workload, offer } = await offered(before, node);
    node.report(status(offer, { state: 'running' }));
    const contents = Array.from({ length: 400 }, (_, index) => Buffer.alloc(1 + (index % 700), index));
    const { bytes, positions } = logOf(...contents);
    const middle = positions[200] ?? 0;
    const path = `/api/workloads/${workload}/logs?follow=true&position=`;
    const following = before.fetch(`${path}0`);
    node.logChunk(offer.attemptId, 0, bytes.subarray(0, middle));
    await node.next('logAck', ({ position }) => Number(position) === middle);
    // Only then is there an answer for the kill to cut.
    const reader = readUntilCut(await following);
    await first.kill();
    const seen = await reader;
    expect(seen).toEqual(bytes.subarray(0, seen.length));

    const after = await new GatewayProcess({ home }).ready();
    const rest = after.fetch(`${path}${seen.length}`).then((reply) => readUntilCut(reply));
    const again = await FakeNode.connect(nodeUrlOf(after), node.key);
    await again.join({ grant });
    // What was acknowledged is there: the gateway asks for what follows it.
    const start = await again.next('logStart', ({ attemptId }) => attemptId === offer.attemptId);
    expect(Number(start.position)).toBe(middle);
    again.logChunk(offer.attemptId, middle, bytes.subarray(middle));
    again.report(status(offer, { state: 'exited', exitCode: 0, revision: 2, logEnd: bytes.length }));
    expect(Buffer.concat([seen, await rest])).toEqual(bytes);
  });
});

test('asked politely it ends with 0, and leaves word that it is gone', async () => {
  const home = await tempFolder();
  const gateway = new GatewayProcess({ home });
  const api = await gateway.ready();
  // Open before the gateway is asked to end, and no obstacle to it.
  const stream = await api.fetch('/api/events?from=1');
  expect(stream.status).toBe(200);
  expect(await gateway.stop()).toBe(0);
  await readUntilCut(stream);
  const next = new GatewayProcess({ home });
  expect((await (await next.ready()).call('fleet.status', {})).nodes.total).toBe(0);
});

/** A stream that its gateway's death cuts off, or its end. */
async function readUntilCut(reply: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of reply.body ?? []) chunks.push(chunk as Uint8Array);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
  }
  return Buffer.concat(chunks);
}
