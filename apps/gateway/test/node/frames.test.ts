// Shows that bytes which are no frames, or the wrong ones, cost their sender the connection and nobody else
// anything.
import { encodeNodeFrame } from '@clawbernetes/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeNode, status, type Offer } from '../support/fake-node.ts';
import { joinFleet, offered } from '../support/join-fleet.ts';
import { startGateway, type LocalGateway } from '../support/local-gateway.ts';
import { rawSocket, readToEnd, upgradeRequest } from '../support/raw-socket.ts';

const MAX_FRAME_BYTES = 65_536;

let gateway: LocalGateway;
let bystander: FakeNode;
let work: { workload: string; offer: Offer };
beforeEach(async () => {
  gateway = await startGateway({ maxFrameBytes: MAX_FRAME_BYTES });
  ({ node: bystander } = await joinFleet(gateway, 'bystander'));
  work = await offered(gateway.api, bystander);
});

/** Whatever happened, the other node has noticed nothing. */
afterEach(async () => {
  bystander.report(status(work.offer, { state: 'exited', exitCode: 0 }));
  await bystander.next('statusAck');
  expect((await gateway.api.call('workload.inspect', { workload: work.workload })).state).toBe('succeeded');
});

const unknownState = encodeNodeFrame(1, {
  case: 'statusReport',
  value: { statuses: [{ attemptId: 'x', state: 99 as never }] },
});

describe.each([
  ['before it has registered', () => FakeNode.connect(gateway.nodeUrl)],
  ['once it is in the fleet', async () => (await joinFleet(gateway, 'sender')).node],
])('%s', (_when, open) => {
  test.each([
    ['a frame over the limit', Buffer.alloc(MAX_FRAME_BYTES + 1), 1009],
    ['a frame far over the limit', Buffer.alloc(8 * MAX_FRAME_BYTES, 1), 1009],
    ['bytes that are no frame', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 4400],
    [
      'half a frame',
      Buffer.from(encodeNodeFrame(1, { case: 'register', value: { name: 'n' } }).subarray(0, -1)),
      4400,
    ],
    ['a text message', 'hello', 1003],
  ])('%s ends the connection', async (_what, data, code) => {
    const node = await open();
    node.socket.send(data);
    expect((await node.closed).code).toBe(code);
  });

  test('an empty frame and one of a newer protocol are harmless', async () => {
    const node = await open();
    node.socket.send(new Uint8Array());
    node.send({ case: undefined });
    // Field 200, length-delimited: what a later version might say.
    node.socket.send(Buffer.from([0xc2, 0x0c, 0x02, 0x08, 0x01]));
    if (node.inbox.some((body) => body.case === 'desiredState')) await node.settle();
    else await node.join({ joinToken: (await gateway.api.call('node.token', {})).token });
    expect(node.inbox.filter((body) => body.case === 'error')).toEqual([]);
  });
});

test('frames before Register are not acted on', async () => {
  const node = await FakeNode.connect(gateway.nodeUrl);
  node.report(status(work.offer, { state: 'exited', exitCode: 1 }));
  node.logChunk(work.offer.attemptId, 0, new Uint8Array(3));
  node.list();
  node.heartbeat();
  await node.join({ joinToken: (await gateway.api.call('node.token', {})).token });
  await node.settle();
  expect((await gateway.api.call('workload.inspect', { workload: work.workload })).state).toBe('reserved');
});

test('a second Register over one connection is refused, whatever it says', async () => {
  const { node, grant } = await joinFleet(gateway, 'sender');
  node.register({ name: 'renamed', grant });
  expect(await node.next('error')).toMatchObject({ code: 'bad-frame', fatal: false });
  expect((await node.closed).code).toBe(4400);
  expect((await gateway.api.call('node.list', {})).nodes.map(({ name }) => name)).toEqual([
    'bystander',
    'sender',
  ]);
});

test('a state of an attempt that this version does not know ends the connection', async () => {
  const { node } = await joinFleet(gateway, 'sender');
  node.socket.send(unknownState);
  expect((await node.next('error')).code).toBe('bad-frame');
  await node.closed;
});

test('what follows a refused frame is not acted on', async () => {
  const { node } = await joinFleet(gateway, 'sender', { gpus: 1 });
  const { workload, offer } = await offered(gateway.api, node, { resources: { gpus: 1 } });
  node.socket.send(unknownState);
  node.report(status(offer, { state: 'exited', exitCode: 0 }));
  await node.closed;
  expect((await gateway.api.call('workload.inspect', { workload })).state).toBe('reserved');
  expect(node.inbox.filter((body) => body.case === 'statusAck')).toEqual([]);
});

describe('upgrades', () => {
  test.each(['//', '//node', '/%zz', 'http://[', '/nothing?here', '*'])('to %s are refused', async (path) => {
    const socket = await rawSocket(gateway.api.url);
    socket.write(upgradeRequest(path));
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test('whose sender is gone before it is told are forgotten', async () => {
    for (let count = 0; count < 20; count += 1) {
      const socket = await rawSocket(gateway.api.url);
      socket.write(upgradeRequest(count % 2 === 0 ? '/nothing' : '/node'));
      socket.resetAndDestroy();
    }
    expect((await gateway.api.fetch('/healthz')).status).toBe(200);
  });

  test('followed by bytes that are no WebSocket frames end the connection', async () => {
    const socket = await rawSocket(gateway.api.url);
    socket.write(upgradeRequest('/node'));
    socket.write(Buffer.alloc(1000, 0xff));
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 101 /);
  });
});
