// Shows with real sockets that frames beyond what there is time for are left to the network, and lost never.
import { once } from 'node:events';
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
const MOST_WAITING = 100;

/** On which each frame takes a whole slice. */
class WorkingClock extends VirtualClock {
  workedMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.workedMs;
  }
}

async function connect(line: PacedLine) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const sender = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => sender.terminate());
  const [socket] = (await accepted) as [WebSocket];
  if (sender.readyState !== WebSocket.OPEN) await once(sender, 'open');
  return { channel: new WebSocketChannel(socket, 'test', line), sender };
}

/** So that the network may bring more. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('who sends more than there is time for is not read until that is handled, and ends after it', async () => {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const { channel, sender } = await connect(line);
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
