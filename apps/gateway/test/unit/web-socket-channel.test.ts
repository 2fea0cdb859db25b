// Shows with real sockets that frames beyond what there is time for are left to the network, and lost never,
// and that a node which is not read does not count as silent.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PacedLine } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { WebSocketChannel } from '../../src/http/web-socket-channel.ts';

const SLICE_MS = 5;
const FRAMES = 5000;
/** One read of a socket brings so many frames of this size at most. */
const FRAME_BYTES = 4096;
const MOST_WAITING = 300;
/** With so many that wait no more are read. */
const MAX_UNREAD = 256;

/** On which each frame takes a whole slice. */
class WorkingClock extends VirtualClock {
  workedMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.workedMs;
  }
}

async function connect(clock: VirtualClock, line: PacedLine) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const sender = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => sender.terminate());
  const [socket, { socket: stream }] = (await accepted) as [WebSocket, IncomingMessage];
  if (sender.readyState !== WebSocket.OPEN) await once(sender, 'open');
  return { channel: new WebSocketChannel({ clock, line }, socket, stream, 'test'), sender };
}

/** So that the network may bring more. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('who sends more than there is time for is not read until that is handled, and ends after it', async () => {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const { channel, sender } = await connect(clock, line);
  const got: number[] = [];
  const countsAtEnd: number[] = [];
  channel.onFrame((frame) => {
    clock.workedMs += SLICE_MS;
    got.push(Buffer.from(frame).readUInt32BE());
  });
  channel.onClose(() => countsAtEnd.push(got.length));
  for (let number = 0; number < FRAMES; number += 1) {
    const frame = Buffer.alloc(FRAME_BYTES);
    frame.writeUInt32BE(number);
    sender.send(frame);
  }
  sender.close();
  let mostWaiting = 0;
  while (countsAtEnd.length === 0) {
    await turns(3);
    mostWaiting = Math.max(mostWaiting, line.size);
    while (line.size > 0) clock.fireNext();
  }
  expect(got).toEqual(Array.from({ length: FRAMES }, (_, number) => number));
  expect(countsAtEnd).toEqual([FRAMES]);
  expect(mostWaiting).toBeGreaterThan(1);
  expect(mostWaiting).toBeLessThan(MOST_WAITING);
});

/** Sends so many and waits until as many wait in the line, or no more are read. */
async function fill(line: PacedLine, sender: WebSocket, frames: number, waiting: number): Promise<void> {
  for (let count = 0; count < frames; count += 1) sender.send(Buffer.alloc(FRAME_BYTES));
  while (line.size < waiting) await turns(1);
}

test('what has arrived is contact from then on, before its turn and after', async () => {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const { channel, sender } = await connect(clock, line);
  expect(channel.arrivedMs).toBeUndefined();
  await clock.advance(1000);
  // Uses its slice up: what comes after it waits for a turn of its own.
  line.do(() => (clock.workedMs += SLICE_MS));
  const cameMs = clock.monotonicMs();
  await fill(line, sender, 1, 1);
  clock.workedMs += 5000;
  expect(channel.arrivedMs).toBe(cameMs);
  clock.fireNext();
  expect(line.size).toBe(0);
  expect(channel.arrivedMs).toBe(cameMs);
});

test('of what has to wait for its turn the receiver is told at once, of other frames it is not', async () => {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const { channel, sender } = await connect(clock, line);
  const seen: string[] = [];
  channel.onWaiting((frame) => seen.push(`waits ${frame.length}`));
  channel.onFrame((frame) => seen.push(`handled ${frame.length}`));
  sender.send(Buffer.alloc(1));
  while (seen.length === 0) await turns(1);
  line.do(() => (clock.workedMs += SLICE_MS));
  sender.send(Buffer.alloc(2));
  while (seen.length === 1) await turns(1);
  clock.fireNext();
  expect(seen).toEqual(['handled 1', 'waits 2', 'handled 2']);
});

// As much as `LOG_SHIPPING` of the agent lets it have on the way, in few chunks or in many.
test.each([
  [16, 256 * 1024],
  [192, 1024],
])('what comes behind %i log chunks of %i bytes that wait is seen while they do', async (count, bytes) => {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const { channel, sender } = await connect(clock, line);
  const seen: number[] = [];
  channel.onWaiting(({ length }) => seen.push(length));
  line.do(() => (clock.workedMs += SLICE_MS));
  for (let chunk = 0; chunk < count; chunk += 1) sender.send(Buffer.alloc(bytes + 64));
  while (line.size < count) await turns(1);
  await turns(20);
  sender.send(Buffer.alloc(9));
  while (line.size === count) await turns(1);
  expect(seen.at(-1)).toBe(9);
});

test('as long as we do not read a node it is not silent, and from then on only if nothing comes', async () => {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const { channel, sender } = await connect(clock, line);
  line.do(() => (clock.workedMs += SLICE_MS));
  await fill(line, sender, MAX_UNREAD, MAX_UNREAD);
  for (const passedMs of [10_000, 20_000]) {
    clock.workedMs += passedMs;
    expect(channel.arrivedMs).toBe(clock.monotonicMs());
  }
  const heldUntilMs = clock.monotonicMs();
  while (line.size > 0) clock.fireNext();
  clock.workedMs += 3000;
  expect(channel.arrivedMs).toBe(heldUntilMs);
});

test('what was sent before a close arrives before it', async () => {
  const clock = new VirtualClock();
  const { channel, sender: peer } = await connect(clock, new PacedLine(clock, SLICE_MS));
  const got: string[] = [];
  peer.on('message', (data: Buffer) => got.push(data.toString()));
  const end = once(peer, 'close');
  channel.send(Buffer.from('refused'));
  channel.close(4400, 'forbidden');
  await end;
  expect(got).toEqual(['refused']);
});
