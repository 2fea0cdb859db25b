// Shows that a paced line keeps the order, and leaves time to others.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { PacedLine } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';

const SLICE_MS = 5;

/** A clock on which work takes time, too. */
class WorkingClock extends VirtualClock {
  workedMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.workedMs;
  }
}

function setUp() {
  const clock = new WorkingClock();
  const line = new PacedLine(clock, SLICE_MS);
  const done: number[] = [];
  const put = (number: number, ms: number): void =>
    line.do(() => {
      clock.workedMs += ms;
      done.push(number);
    });
  return { clock, line, done, put };
}

test('what fits into a slice is done at once', () => {
  const { done, put } = setUp();
  put(1, 2);
  put(2, 2);
  expect(done).toEqual([1, 2]);
});

test('what is beyond the slice waits for a later turn, in order, a slice at a time', () => {
  const { clock, line, done, put } = setUp();
  for (let number = 1; number <= 8; number += 1) put(number, 2);
  expect(done).toEqual([1, 2, 3]);
  expect(line.size).toBe(5);
  clock.fireNext();
  expect(done).toEqual([1, 2, 3, 4, 5, 6]);
  put(9, 0);
  clock.fireNext();
  expect(done).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(line.size).toBe(0);
});

test('half of the time is left to others', () => {
  const { clock, done, put } = setUp();
  put(1, 6);
  clock.workedMs += 3;
  put(2, 1);
  expect(done).toEqual([1]);
  clock.fireNext();
  clock.workedMs += 2 * SLICE_MS;
  put(3, 6);
  expect(done).toEqual([1, 2, 3]);
});

test('time that passes without work uses nothing up', async () => {
  const { clock, done, put } = setUp();
  put(1, 1);
  await clock.advance(7);
  put(2, 1);
  expect(done).toEqual([1, 2]);
});

test('one may wait until all that came before is done', async () => {
  const { clock, line, done, put } = setUp();
  await line.done();
  put(1, 6);
  put(2, 6);
  put(3, 6);
  let isDone = false;
  const allDone = line.done().then(() => (isDone = true));
  clock.fireNext();
  await Promise.resolve();
  expect([done, isDone]).toEqual([[1, 2], false]);
  clock.fireNext();
  clock.fireNext();
  await allDone;
  expect(done).toEqual([1, 2, 3]);
});

test('what is done is let go of, also while others wait all the time', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { clock, line } = setUp();
  const frames: WeakRef<object>[] = [];
  const put = (frame: { readonly takesMs: number }): void => {
    frames.push(new WeakRef(frame));
    line.do(() => void (clock.workedMs += frame.takesMs));
  };
  for (let count = 0; count < 10; count += 1) put({ takesMs: 2 });
  for (let turn = 0; turn < 100; turn += 1) {
    clock.fireNext();
    for (let count = 0; count < 3; count += 1) put({ takesMs: 2 });
    expect(line.size).toBeGreaterThan(0);
  }
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const kept = frames.filter((frame) => frame.deref() !== undefined);
  expect(kept.length).toBeLessThan(20);
  expect(line.size).toBeGreaterThan(0);
});
