// Shows that a full disk stops the gateway from acknowledging and nothing else: it says so, loses nothing,
// and goes on by itself when there is space.
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ApiClient, ApiFailure, ApiReply } from '../support/api-client.ts';
import { FakeNode, status } from '../support/fake-node.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { record } from '../support/log-bytes.ts';
import { mountDisk, smallDiskMissing } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 2 ** 20;
const BALLAST_MIB = 3;
const RECOVERY_MS = 25_000;
const VALUE = 'x'.repeat(100_000);

const reason = smallDiskMissing && ` [skipped: ${smallDiskMissing}]`;

/** Creates entries until one is refused. */
async function fill(
  api: ApiClient,
): Promise<{ acknowledged: string[]; refused: string; reply: ApiReply<ApiFailure> }> {
  const acknowledged: string[] = [];
  for (let count = 0; ; count += 1) {
    const key = `fill-${count}`;
    const reply = await api.post('config.create', JSON.stringify({ key, value: VALUE }));
    if (reply.status !== 200) return { acknowledged, refused: key, reply };
    acknowledged.push(key);
  }
}

describe.skipIf(reason !== '')(`a disk that is full${reason}`, () => {
  test('is named in the answer; all that was acknowledged is there afterwards, and nothing else', async () => {
    const home = await tempFolder();
    mountDisk(home, 8);
    const ballast = join(home, 'ballast');
    await writeFile(ballast, Buffer.alloc(BALLAST_MIB * MIB));
    const gateway = new GatewayProcess({ home });
    const api = await gateway.ready();
    const nodeUrl = `${api.url.replace('http', 'ws')}/node`;
    const { node, grant } = await joinFleet({ api, nodeUrl });
    const { workload, offer } = await offered(api, node);

    const { acknowledged, refused, reply } = await fill(api);
    expect([reply.status, reply.body.code]).toEqual([507, 'storage-full']);
    expect(reply.body.message).toContain(join(home, 'gateway', 'fleet.db'));
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    const down = await waitUntil('it says that it is not ready', async () => {
      const ready = await fetch(`${api.url}/readyz`);
      return ready.status !== 200 && ready;
    });
    expect([503, 507]).toContain(down.status);
    await node.closed;
    expect([503, 507]).toContain((await api.post('workload.list', '{}')).status);

    await rm(ballast);
    await waitUntil(
      'it is ready again',
      async () => (await fetch(`${api.url}/readyz`)).status === 200,
      RECOVERY_MS,
    );
    expect(gateway.child.exitCode).toBeNull();
    const { entries } = await api.call('config.list', { limit: 1000 });
    expect(entries.map(({ key }) => key).toSorted()).toEqual(acknowledged.toSorted());
    await api.call('config.create', { key: refused, value: 'now' });
    const again = await FakeNode.connect(nodeUrl, node.key);
    await again.join({ grant });
    again.report(status(offer, { state: 'exited', exitCode: 0 }));
    await again.next('statusAck');
    expect((await api.call('workload.inspect', { workload })).state).toBe('succeeded');
  }, 60_000);

  test('keeps a log’s next piece unacknowledged, and takes it when there is space', async () => {
    const home = await tempFolder();
    mountDisk(home, 8);
    const gateway = new GatewayProcess({ home });
    const api = await gateway.ready();
    const { node } = await joinFleet({ api, nodeUrl: `${api.url.replace('http', 'ws')}/node` });
    const { workload, offer } = await offered(api, node);
    node.report(status(offer, { state: 'running' }));
    await node.next('statusAck');
    const ballast = join(home, 'ballast');
    await writeFile(ballast, '');
    await writeFile(ballast, Buffer.alloc(16 * MIB)).catch(() => undefined);
    const piece = Buffer.concat([record('x'.repeat(60_000)), record('y'.repeat(60_000))]);
    node.logChunk(offer.attemptId, 0, piece);
    await node.settle();
    expect(node.inbox.filter((body) => body.case === 'logAck')).toEqual([]);
    await rm(ballast);
    node.logChunk(offer.attemptId, 0, piece);
    expect(Number((await node.next('logAck')).position)).toBe(piece.length);
    const log = await api.fetch(`/api/workloads/${workload}/logs`);
    expect(Buffer.from(await log.arrayBuffer())).toEqual(piece);
  });

  test('lets no gateway start, which says what is missing and leaves nothing behind', async () => {
    const home = await tempFolder();
    mountDisk(home, 1);
    await writeFile(join(home, 'ballast'), Buffer.alloc(2 * MIB)).catch(() => undefined);
    const gateway = new GatewayProcess({ home, args: ['--port', '0'] });
    expect(await gateway.exited).toBe(1);
    const [sentence, ...more] = gateway.stderr.trimEnd().split('\n');
    expect(more).toEqual([]);
    expect(sentence).toMatch(/ENOSPC|no space/i);
    expect(await readdir(join(home, 'gateway')).catch(() => [])).toEqual([]);
  });
});
