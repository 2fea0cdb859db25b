// Shows that an agent outlives whatever a gateway or a network does to its connection, and never gives up
// its workloads.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { MAX_ATTEMPTS } from '../../src/agent/reports.ts';
import { until } from '../../src/testing/until.ts';
import { machine } from './opened-node.ts';
import { TestGateway } from './test-gateway.ts';

test.each([
  [
    'bytes that are no frame',
    (send: (bytes: Buffer) => void) => send(Buffer.from('ffffffffffffffff', 'hex')),
  ],
  ['a frame over the limit', (send: (bytes: Buffer) => void) => send(Buffer.alloc(1_048_577))],
])('%s: the connection is closed and made anew, the work goes on', async (_what, attack) => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it runs', () => node.attempts()[0]?.state === 'running');
  attack((bytes) => connection.socket.send(bytes));
  await gateway.registered(2);
  expect(node.attempts()).toMatchObject([{ attemptId: 'a-1', state: 'running' }]);
  expect(connection.closeCode).not.toBe(1000);
});

const BEYOND_COUNTING = { term: 2n ** 63n, counter: 1n };
const ORDER = { workloadId: 'w', namespace: 'default', spec: new Uint8Array(), devices: [] };
const STOP = { graceful: true, graceMs: 1, reason: 'user' };
test.each([
  [
    'a start of no epoch',
    { case: 'startWorkload', value: { ...ORDER, attemptId: 'a-2', epoch: BEYOND_COUNTING } },
  ],
  ['a start of no id', { case: 'startWorkload', value: { ...ORDER, attemptId: '../../etc' } }],
  [
    'a stop of no epoch',
    { case: 'stopWorkload', value: { ...STOP, attemptId: 'a-1', epoch: BEYOND_COUNTING } },
  ],
  ['a stop of no id', { case: 'stopWorkload', value: { ...STOP, attemptId: 'x'.repeat(200_000) } }],
] as const)('%s: the connection is closed and made anew, the work goes on', async (_what, order) => {
  await using gateway = await TestGateway.open();
  const host = machine();
  await using node = await host.open(gateway.url);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it runs', () => node.attempts()[0]?.state === 'running');
  connection.send(order);
  await gateway.registered(2);
  expect(node.attempts()).toMatchObject([{ attemptId: 'a-1', state: 'running' }]);
});

test('orders to stop what the node never heard of fill no memory', async () => {
  await using gateway = await TestGateway.open({ acknowledge: false });
  const host = machine();
  await using node = await host.open(gateway.url);
  const connection = await gateway.registered();
  for (let number = 0; number < MAX_ATTEMPTS + 50; number += 1) connection.stop(`a-${number}`);
  await until('it had enough', () => host.lines.some((line) => line.includes('Too many attempts')));
  expect(node.attempts()).toHaveLength(MAX_ATTEMPTS);
});

test('frames out of turn end the connection', async () => {
  await using gateway = await TestGateway.open({ approve: false });
  const host = machine();
  await using node = await host.open(gateway.url);
  await until('it waits', () => node.phase === 'pending');
  gateway.connections[0]?.start('a-1', { command: ['true'] });
  await until('it turned away', () => gateway.connections.length > 1);
  expect(host.lines.some((line) => line.includes('startWorkload out of turn'))).toBe(true);
  expect(node.attempts()).toEqual([]);
});

test('a gateway that stops answering heartbeats is left for a new connection', async () => {
  await using gateway = await TestGateway.open({ leaseMs: 1000, heartbeatMs: 200 });
  const host = machine();
  await using node = await host.open(gateway.url);
  await gateway.registered();
  await until('it holds a lease', () => node.leaseExpiresAtMs > 0);
  gateway.behaviour.lease = false;
  await until('a new connection is made', () => gateway.connections.length > 1);
  expect(host.lines.some((line) => line.includes('stopped answering heartbeats'))).toBe(true);
});

test('a half-open connection, on which nothing arrives any more, is noticed and replaced', async () => {
  await using gateway = await TestGateway.open({ leaseMs: 1000, heartbeatMs: 200 });
  await using relay = await Relay.open(Number(new URL(gateway.url).port));
  const host = machine();
  await using node = await host.open(`ws://127.0.0.1:${relay.port}/node`);
  const connection = await gateway.registered();
  connection.start('a-1', { command: ['sleep', '3600'] });
  await until('it runs', () => connection.statuses().some(({ state }) => state === 4));
  relay.freeze();
  const second = await gateway.registered(2);
  expect(second.phase).toBe('registered');
  expect(node.attempts()).toMatchObject([{ state: 'running' }]);
});

test('a server that accepts and says nothing does not keep the agent from trying again, nor from stopping', async () => {
  await using silent = await Relay.silent();
  const node = await machine().open(`ws://127.0.0.1:${silent.port}/node`);
  await until('it is connecting', () => silent.accepted > 0);
  await node[Symbol.asyncDispose]();
  expect(await node.ended).toBeUndefined();
});

test('heartbeats carry metrics and the digest, and are repeated', async () => {
  await using gateway = await TestGateway.open({ heartbeatMs: 100 });
  await using _node = await machine().open(gateway.url, { metricsIntervalMs: 100 });
  const connection = await gateway.registered();
  await until('three came', () => connection.all('heartbeat').length >= 3);
  const [first] = connection.all('heartbeat');
  expect(first?.attemptsDigest).toHaveLength(32);
  expect(first?.system).toMatchObject({ memoryTotalMib: 524_288n });
});

test('connections that fail at once come less and less often', async () => {
  await using gateway = await TestGateway.open({ forgeProof: true });
  const host = machine();
  await using _node = await host.open(gateway.url, { reconnectIntervalMs: 60_000 });
  await until('it waits longer than at first', () =>
    host.lines.some((line) => Number(/"retryInMs":(\d+)/.exec(line)?.[1] ?? 0) > 500),
  );
  expect(gateway.connections.length).toBeLessThan(30);
});

/** A TCP relay in front of a port that can stop forwarding without closing anything. */
class Relay implements AsyncDisposable {
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #frozen = new Set<Socket>();

  static async open(target: number): Promise<Relay> {
    const relay = new Relay((socket) => relay.#forward(socket, target));
    await relay.#listen();
    return relay;
  }

  static async silent(): Promise<Relay> {
    const relay = new Relay(() => undefined);
    await relay.#listen();
    return relay;
  }

  private constructor(accept: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.accepted += 1;
      this.#keep(socket);
      accept(socket);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on nothing of the present connections arrives at either end. */
  freeze(): void {
    this.#frozen = new Set(this.#sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  #forward(near: Socket, target: number): void {
    const far = connect(target, '127.0.0.1');
    this.#keep(far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes) => {
        if (!this.#frozen.has(from)) to.write(bytes);
      });
      from.on('close', () => {
        if (!this.#frozen.has(from)) to.destroy();
      });
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
  }
}
