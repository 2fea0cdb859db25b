// Shows that a ledger does not open on a journal whose tail is torn, doubled or changed, and says why; and
// that it opens on one that ends earlier, as it was then.
import { present, seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { Ledger } from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { describe, expect, it } from 'vitest';
import { LEDGER } from '../orders/order-world.ts';
import { makeJournal, type WrittenJournal } from './make-journal.ts';
import { storeOf } from './store-of.ts';

type Frames = WrittenJournal['frames'];
const { frames } = await makeJournal();
const last = present(frames.at(-1), 'a last frame');

async function open(changed: Frames): Promise<Ledger> {
  const clock = new VirtualClock({ startMs: last.timeMs });
  const store = await storeOf(clock, changed);
  const deps = { clock, random: seededRandom(2), logger: silentLogger, threads: new SameThread(), store };
  return Ledger.open(deps, { ledgerId: LEDGER });
}

function withBody(change: (body: Buffer) => Buffer, at = frames.length - 1): Frames {
  return frames.map((frame, index) => {
    const body = Buffer.from(frame.body, 'base64');
    return index === at ? { ...frame, body: change(body).toString('base64') } : frame;
  });
}

describe('a journal', () => {
  it.each<[string, Frames, string, RegExp]>([
    ['with a torn tail', withBody((body) => body.subarray(0, -5)), 'journal-damaged', /damaged.*backup/],
    [
      'with more after its tail',
      withBody((body) => Buffer.concat([body, Buffer.alloc(8)])),
      'journal-damaged',
      /damaged.*backup/,
    ],
    [
      'that begins otherwise',
      withBody((body) => Buffer.concat([Buffer.alloc(1), body.subarray(1)])),
      'journal-damaged',
      /damaged.*backup/,
    ],
    ['with an empty tail', withBody(() => Buffer.alloc(0)), 'journal-damaged', /damaged.*backup/],
    ['whose tail is there twice', [...frames, last], 'journal-diverged', /other answers.*backup/],
    ['with a changed amount', withBody(flip, 3), 'journal-diverged', /other answers.*backup/],
    ['of a newer version', withBody(newerKind), 'journal-too-new', /does not know.*newer/],
    ['under newer rules', withBody(ruled('9')), 'journal-too-new', /rules \(9\).*newer/],
    ['under the rules of before', withBody(ruled('1'), 6), 'journal-diverged', /other answers/],
    ['under no rules', withBody(ruled('0')), 'journal-damaged', /damaged/],
    ['under rules that are no number', withBody(ruled('x')), 'journal-damaged', /damaged/],
  ])('%s is refused', async (_, changed, code, message) => {
    await expect(open(changed)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('that ends earlier is opened as it was then', async () => {
    for (let kept = 0; kept < frames.length; kept += 1)
      expect((await open(frames.slice(0, kept))).sequence).toBe(kept);
  });
});

/** Of the amount in the first of its transfers. */
function flip(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  copy.writeUInt8(copy.readUInt8(32 + 48) ^ 1, 32 + 48);
  return copy;
}

/** Under other rules: the fourth byte of a frame. */
function ruled(digit: string): (body: Buffer) => Buffer {
  return (body) => Buffer.concat([body.subarray(0, 3), Buffer.from(digit), body.subarray(4)]);
}

function newerKind(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  // The last frame is of what came due; one operation of a kind that is not known.
  const operation = Buffer.alloc(16);
  operation.writeUInt8(99, 0);
  copy.writeUInt32LE(1, 4);
  return Buffer.concat([copy.subarray(0, 16), operation]);
}
