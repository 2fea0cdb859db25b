// Shows that frames survive any cutting into pieces, and that what is no frame is refused at once.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, MAX_FRAME_BYTES } from '../../src/supervisor/wire.ts';

const frames = fc.array(fc.tuple(fc.jsonValue(), fc.uint8Array({ maxLength: 50 })), { maxLength: 6 });

describe('frames', () => {
  it('arrive whole and in order, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(([message, bytes]) => encodeFrame(message, bytes)));
        const reader = new FrameReader();
        const received: [unknown, Uint8Array][] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const end = at + (cuts[turn % cuts.length] ?? 1);
          for (const { message, bytes } of reader.push(stream.subarray(at, end))) {
            received.push([message, Uint8Array.from(bytes)]);
          }
          at = end;
        }
        expect(received).toEqual(
          sent.map(([message, bytes]) => [JSON.parse(JSON.stringify(message)) as unknown, bytes]),
        );
      }),
    );
  });

  it.each([
    ['a length above the limit', lengths(MAX_FRAME_BYTES, 10)],
    ['a JSON longer than its frame', lengths(20, 100)],
    ['a length too short for a frame', lengths(2, 0)],
    ['a line of another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['JSON that is none', Buffer.concat([lengths(8, 4), Buffer.from('oops')])],
  ])('that are %s are refused', (_, bytes) => {
    expect(() => new FrameReader().push(bytes)).toThrow("not the supervisor's protocol");
  });
});

function lengths(frame: number, json: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(frame, 0);
  head.writeUInt32LE(json, 4);
  return head;
}
