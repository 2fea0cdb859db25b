// Shows that connections which say nothing, answer nothing or read nothing are bounded in number, time and
// memory, and that the API answers meanwhile.
import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FakeNode, status } from '../support/fake-node.ts';
import { joinFleet } from '../support/join-fleet.ts';
import { startGateway, type LocalGateway } from '../support/local-gateway.ts';
import { rawSocket, readToEnd, upgradeRequest } from '../support/raw-socket.ts';
import { waitUntil } from '../support/wait-until.ts';

const IDLE = 1_000;
const LIMIT = 800;
/** Of one frame, which the gateway works through for some ms. */
const STATUSES = 4_000;

describe('a crowd', () => {
  test(`${IDLE} connections that never register: those over the limit are refused, all are gone at the deadline`, async () => {
    const gateway = await startGateway({ handshakeMs: 3_000, maxUnprovenConnections: LIMIT });
    const { node } = await joinFleet(gateway);
    const codes: number[] = [];
    const sockets = Array.from({ length: IDLE }, () => {
      const socket = new WebSocket(gateway.nodeUrl);
      socket.on('error', () => undefined);
      socket.once('close', (code: number) => codes.push(code));
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    expect((await gateway.api.call('fleet.status', {})).nodes.connected).toBe(1);
    await node.settle();
    await waitUntil('all are gone', () => codes.length === IDLE, 15_000);
    expect(codes.filter((code) => code === 1013)).toHaveLength(IDLE - LIMIT);
    expect(codes.filter((code) => code === 4408)).toHaveLength(LIMIT);
    // There is room again, and who is in the fleet never lost its place.
    await joinFleet(gateway, 'late');
    await node.settle();
  });
});

describe('one that', () => {
  let gateway: LocalGateway;
  beforeEach(async () => {
    gateway = await startGateway({ handshakeMs: 400, pingMs: 200 });
  });

  test.each([
    ['connects and sends nothing', ''],
    ['never finishes its HTTP upgrade', 'GET /node HTTP/1.1\r\nHost: gateway\r\nUpgrade: web'],
    ['finishes it and sends nothing, not even an answer to a ping or a close', upgradeRequest('/node')],
    [
      'begins a request and never sends its body',
      'POST /api/commands/node.list HTTP/1.1\r\nHost: g\r\nContent-',
    ],
  ])('%s is cut off', async (_what, bytes) => {
    const socket = await rawSocket(gateway.api.url);
    socket.write(bytes);
    expect(await readToEnd(socket)).not.toContain(' 200 ');
  });

  test('listens to live events and answers no ping is cut off', async () => {
    const socket = await rawSocket(gateway.api.url);
    socket.write(upgradeRequest('/api/ws', [`Authorization: Bearer ${gateway.api.token}`]));
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 101 /);
  });

  test('answers pings and waits for approval is not', async () => {
    const node = await FakeNode.connect(gateway.nodeUrl);
    node.register({ name: 'patient' });
    await node.next('pending');
    await waitUntil('several pings', () => pings(node) >= 4);
    expect(node.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('is in the fleet and answers no ping is suspect, as if its connection had closed', async () => {
    const { node } = await joinFleet(gateway);
    node.socket.pause();
    const seen = await waitUntil('the gateway gives it up', async () => {
      const { connectivity } = await gateway.api.call('node.info', { node: 'node-a' });
      return connectivity !== 'connected' && connectivity;
    });
    expect(seen).toBe('suspect');
  });
});

test('a node is not silent while what it sent waits for its turn', async () => {
  const gateway = await startGateway({ pingMs: 300 });
  const { node } = await joinFleet(gateway);
  report(node, 60);
  await node.settle();
  expect(node.socket.readyState).toBe(WebSocket.OPEN);
});

test('a registration that waits for its turn is not too late', async () => {
  const gateway = await startGateway({ handshakeMs: 400 });
  const { node } = await joinFleet(gateway);
  report(node, 40);
  const late = await FakeNode.connect(gateway.nodeUrl);
  late.register({ name: 'late' });
  const outcome = await Promise.race([late.closed, late.next('pending')]);
  expect(outcome).toHaveProperty('message');
});

test('a node that does not read loses its connection when its backlog is full, but not its work', async () => {
  const gateway = await startGateway({ maxBacklogBytes: 262_144, pingMs: 3_600_000 });
  const { node, grant } = await joinFleet(gateway);
  node.socket.pause();
  const env = { BALLAST: 'x'.repeat(100_000) };
  const ids: string[] = [];
  // Sockets hold megabytes before a backlog begins.
  await waitUntil(
    'the gateway cuts it off',
    async () => {
      ids.push((await gateway.api.call('workload.run', { spec: { command: ['x'], env } })).id);
      return (await gateway.api.call('node.info', { node: 'node-a' })).connectivity !== 'connected';
    },
    60_000,
  );
  const again = await FakeNode.connect(gateway.nodeUrl, node.key);
  await again.join({ grant });
  for (const workload of ids) {
    const { state } = await gateway.api.call('workload.inspect', { workload });
    expect(['reserved', 'queued']).toContain(state);
  }
});

/** So many frames that each take a while. */
function report(node: FakeNode, frames: number): void {
  const unknown = { attemptId: 'at_unknown', epoch: { term: 1, counter: 1 } };
  const statuses = Array.from({ length: STATUSES }, () => status(unknown, {}));
  for (let frame = 0; frame < frames; frame += 1) node.report(...statuses);
}

const counted = new WeakMap<FakeNode, { pings: number }>();
function pings(node: FakeNode): number {
  const known = counted.get(node);
  if (known) return known.pings;
  const counter = { pings: 0 };
  counted.set(node, counter);
  node.socket.on('ping', () => (counter.pings += 1));
  return 0;
}
