// Shows over real sockets that frames arrive whole and in order, those of one turn by one write.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { FrameWriter } from '../../src/http/frame-writer.ts';

const OPTIONS = { perMessageDeflate: false };

async function connect() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...OPTIONS });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const peer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, OPTIONS);
  onTestFinished(() => peer.terminate());
  const got: Buffer[] = [];
  peer.on('message', (data: Buffer) => got.push(data));
  const [socket, { socket: stream }] = (await accepted) as [WebSocket, IncomingMessage];
  if (peer.readyState !== WebSocket.OPEN) await once(peer, 'open');
  const writes = vi.spyOn(stream, 'write');
  return { writer: new FrameWriter(socket, stream), socket, peer, got, writes };
}

async function closed(socket: WebSocket, peer: WebSocket): Promise<void> {
  const end = once(peer, 'close');
  socket.close();
  await end;
}

test('frames of every form of length arrive whole and in order, between what ws writes', async () => {
  const { writer, socket, peer, got } = await connect();
  const pongs: string[] = [];
  socket.on('pong', (data: Buffer) => pongs.push(data.toString()));
  const sizes = [0, 1, 125, 126, 127, 65_525, 65_526, 65_535, 65_536, 300_000, 3];
  const frames = sizes.map((size) => randomBytes(size));
  for (const frame of frames) {
    writer.send(frame);
    socket.ping(String(frame.length));
  }
  writer.flush();
  await closed(socket, peer);
  expect(got).toHaveLength(frames.length);
  for (const [index, frame] of frames.entries()) expect(frame.equals(got[index] ?? frame)).toBe(true);
  expect(pongs).toEqual(sizes.map(String));
});

test('frames of one turn are one write, at its end', async () => {
  const { writer, socket, peer, got, writes } = await connect();
  for (let number = 0; number < 10; number += 1) writer.send(Buffer.from([number]));
  expect(writes).not.toHaveBeenCalled();
  expect(writer.backlogBytes).toBeGreaterThanOrEqual(10 * 3);
  await Promise.resolve();
  expect(writes).toHaveBeenCalledOnce();
  expect(writer.backlogBytes).toBe(socket.bufferedAmount);
  await closed(socket, peer);
  expect(got.map(([number]) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('what is kept back is bounded within a turn', async () => {
  const { writer, socket, peer, got } = await connect();
  for (let number = 0; number < 1000; number += 1) {
    writer.send(Buffer.alloc(1000, number % 256));
    expect(writer.backlogBytes - socket.bufferedAmount).toBeLessThan(65_536);
  }
  writer.flush();
  await closed(socket, peer);
  expect(got.map(([number]) => number)).toEqual(Array.from({ length: 1000 }, (_, number) => number % 256));
});

test('nothing is sent behind a close', async () => {
  const { writer, socket, peer, got, writes } = await connect();
  writer.send(Buffer.from('before'));
  writer.flush();
  const end = once(peer, 'close');
  socket.close();
  const before = writes.mock.calls.length;
  writer.send(Buffer.from('behind'));
  writer.flush();
  expect(writes.mock.calls).toHaveLength(before);
  await end;
  expect(got.map(String)).toEqual(['before']);
});
