// Shows how logs travel: from any position, in turns, within the window, and without ever blocking on a
// silent gateway.
import { silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogShipper, type LogChunk } from '../../src/agent/log-shipper.ts';

const OPTIONS = {
  windowBytes: 400,
  windowChunks: 6,
  attemptWindowBytes: 200,
  attemptWindowChunks: 4,
  chunkBytes: 50,
  concurrentReads: 2,
  backlogBytes: 1000,
};

function opened() {
  const clock = new VirtualClock();
  const files = new Map<string, Uint8Array>();
  const chunks: LogChunk[] = [];
  const state = { backlog: 0, broken: false, reads: 0, rotatedTo: 0 };
  const shipper = new LogShipper(
    {
      clock,
      logger: silentLogger,
      supervisor: {
        readLog: async (attemptId, asked, maxBytes) => {
          state.reads += 1;
          if (state.broken) throw new Error('I/O error');
          const file = files.get(attemptId) ?? new Uint8Array();
          const position = Math.max(asked, state.rotatedTo);
          return { position, records: file.slice(position, position + maxBytes), end: file.length };
        },
      },
      send: (chunk) => chunks.push(chunk),
      backlogBytes: () => state.backlog,
    },
    OPTIONS,
  );
  const write = (attemptId: string, length: number): void => {
    files.set(
      attemptId,
      Uint8Array.from({ length }, (_, index) => index % 251),
    );
  };
  return { clock, files, chunks, state, shipper, write };
}

test('an ended log is sent in chunks, the last one marked', async () => {
  const { clock, chunks, shipper, write } = opened();
  write('a', 120);
  shipper.start('a', 0);
  shipper.ended('a', 120);
  await clock.advance(0);
  expect(chunks.map(({ position, records, final }) => [position, records.length, final])).toEqual([
    [0, 50, false],
    [50, 50, false],
    [100, 20, true],
  ]);
});

test('an empty log is not sent at all', async () => {
  const { clock, chunks, state, shipper } = opened();
  shipper.start('a', 0);
  shipper.ended('a', 0);
  await clock.advance(0);
  expect([chunks.length, state.reads]).toEqual([0, 0]);
});

test('when the end is known only after everything was sent, one empty chunk says so', async () => {
  const { clock, chunks, shipper, write } = opened();
  write('a', 30);
  shipper.start('a', 0);
  shipper.grown('a', 30);
  await clock.advance(0);
  shipper.ended('a', 30);
  await clock.advance(0);
  expect(chunks.map(({ position, final }) => [position, final])).toEqual([
    [0, false],
    [30, true],
  ]);
});

test('nothing leaves before the gateway has said from where', async () => {
  const { clock, chunks, shipper, write } = opened();
  write('a', 100);
  shipper.ended('a', 100);
  await clock.advance(1000);
  expect(chunks).toEqual([]);
  shipper.start('a', 70);
  await clock.advance(0);
  expect(chunks).toMatchObject([{ position: 70, final: true }]);
});

test('attempts take turns', async () => {
  const { clock, chunks, shipper, write } = opened();
  for (const id of ['a', 'b', 'c']) {
    write(id, 100);
    shipper.start(id, 0);
    shipper.ended(id, 100);
  }
  await clock.advance(0);
  expect(
    chunks
      .slice(0, 3)
      .map(({ attemptId }) => attemptId)
      .toSorted(),
  ).toEqual(['a', 'b', 'c']);
});

test('an attempt that the gateway does not confirm leaves room for others, and is sent again after a while', async () => {
  const { clock, chunks, shipper, write } = opened();
  write('mute', 10_000);
  shipper.start('mute', 0);
  shipper.ended('mute', 10_000);
  await clock.advance(0);
  expect(shipper.inFlightBytes).toBe(OPTIONS.attemptWindowBytes);
  write('other', 60);
  shipper.start('other', 0);
  shipper.ended('other', 60);
  await clock.advance(0);
  expect(chunks.filter(({ attemptId }) => attemptId === 'other')).toHaveLength(2);
  chunks.length = 0;
  await clock.advance(31_000);
  shipper.retryStalled();
  await clock.advance(0);
  expect(chunks.filter(({ attemptId }) => attemptId === 'mute')[0]).toMatchObject({ position: 0 });
});

test('logs wait while the connection is behind', async () => {
  const { clock, chunks, state, shipper, write } = opened();
  state.backlog = 1000;
  write('a', 10);
  shipper.start('a', 0);
  shipper.ended('a', 10);
  await clock.advance(0);
  expect(chunks).toEqual([]);
  state.backlog = 0;
  shipper.fill();
  await clock.advance(0);
  expect(chunks).toHaveLength(1);
});

test('what rotation took is passed over', async () => {
  const { clock, chunks, state, shipper, write } = opened();
  write('a', 500);
  state.rotatedTo = 480;
  shipper.start('a', 0);
  shipper.ended('a', 500);
  await clock.advance(0);
  expect(chunks).toMatchObject([{ position: 480, final: true }]);
  shipper.confirm('a', 500);
  expect(shipper.inFlightBytes).toBe(0);
});

test('a log that cannot be read is tried again and at last given up, so that its attempt can be forgotten', async () => {
  const { clock, chunks, state, shipper, write } = opened();
  state.broken = true;
  write('a', 100);
  shipper.start('a', 0);
  shipper.ended('a', 100);
  await clock.advance(60_000);
  expect(state.reads).toBe(5);
  expect(chunks).toMatchObject([{ position: 100, final: true }]);
});

test('a dropped log frees its part of the window', async () => {
  const { clock, shipper, write } = opened();
  write('a', 1000);
  shipper.start('a', 0);
  shipper.ended('a', 1000);
  await clock.advance(0);
  shipper.drop('a');
  expect(shipper.inFlightBytes).toBe(0);
});

type Step =
  | { kind: 'grow'; id: string; bytes: number }
  | { kind: 'confirm'; id: string }
  | { kind: 'restart'; id: string; part: number }
  | { kind: 'settle' };
const id = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('grow' as const), id, bytes: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constant('confirm' as const), id }),
  fc.record({ kind: fc.constant('restart' as const), id, part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ kind: fc.constant('settle' as const) }),
);

test('whatever happens, the copy has no gap, the window holds, and in the end everything is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, files, chunks, shipper, write } = opened();
      const copies = new Map<string, number>();
      // Ends of what was sent since its log began last, and is not confirmed.
      let sent: { readonly id: string; readonly end: number }[] = [];
      const confirm = (of: string): void => {
        const end = copies.get(of) ?? 0;
        shipper.confirm(of, end);
        sent = sent.filter((one) => one.id !== of || one.end > end);
      };
      const take = (): void => {
        for (const { attemptId, position, records } of chunks.splice(0)) {
          const end = copies.get(attemptId) ?? 0;
          expect(position).toBeLessThanOrEqual(end);
          copies.set(attemptId, Math.max(end, position + records.length));
          if (records.length > 0) sent.push({ id: attemptId, end: position + records.length });
        }
        expect(sent.length).toBeLessThanOrEqual(OPTIONS.windowChunks);
        expect(shipper.inFlightBytes).toBeLessThanOrEqual(OPTIONS.windowBytes);
      };
      for (const each of ['a', 'b', 'c']) shipper.start(each, 0);
      for (const each of steps) {
        if (each.kind === 'settle') await clock.advance(0);
        take();
        if (each.kind === 'grow') {
          write(each.id, (files.get(each.id)?.length ?? 0) + each.bytes);
          shipper.grown(each.id, files.get(each.id)?.length ?? 0);
        }
        if (each.kind === 'confirm') confirm(each.id);
        if (each.kind !== 'restart') continue;
        sent = sent.filter((one) => one.id !== each.id);
        shipper.start(each.id, Math.floor(each.part * (copies.get(each.id) ?? 0)));
      }
      for (const [attemptId, { length }] of files) shipper.ended(attemptId, length);
      for (let round = 0; round < 100; round += 1) {
        await clock.advance(0);
        take();
        for (const attemptId of copies.keys()) confirm(attemptId);
      }
      expect(copies).toEqual(new Map(Array.from(files, ([attemptId, { length }]) => [attemptId, length])));
      expect(shipper.inFlightBytes).toBe(0);
    }),
    { numRuns: 100 },
  );
});
