// Shows that a wait ends at a change of any of its keys, at its deadline or when its caller leaves, and
// leaves nothing behind.
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { expect, test } from 'vitest';
import { Changes } from '../../src/changes.ts';

function fixture(): { clock: VirtualClock; changes: Changes } {
  const clock = new VirtualClock();
  return { clock, changes: new Changes(clock) };
}

test('one change wakes all that wait for its key, and nobody else', async () => {
  const { clock, changes } = fixture();
  const woken: string[] = [];
  void changes.next(['a', 'b'], 1000).then(() => woken.push('ab'));
  void changes.next(['b'], 1000).then(() => woken.push('b'));
  void changes.next(['c'], 1000).then(() => woken.push('c'));
  expect(changes.size).toBe(3);
  changes.notify('b');
  await clock.advance(0);
  expect(woken).toEqual(['ab', 'b']);
  expect(changes.size).toBe(1);
  changes.notifyAll();
  await clock.advance(0);
  expect([woken.length, changes.size]).toEqual([3, 0]);
});

test('a wait that has ended holds no timer and is not woken again', async () => {
  const { clock, changes } = fixture();
  const woken = changes.next(['a', 'b'], 1000);
  changes.notify('a');
  changes.notify('b');
  await woken;
  expect(clock.nextDueMs).toBeUndefined();
  expect(changes.size).toBe(0);
});

test('the deadline and a caller who leaves end it too', async () => {
  const { clock, changes } = fixture();
  const late = changes.next(['a'], 1000);
  const leaving = new AbortController();
  const left = changes.next(['a'], 60_000, { signal: leaving.signal });
  await clock.advance(1000);
  await late;
  leaving.abort();
  await left;
  await changes.next(['a'], 60_000, { signal: leaving.signal });
  expect([changes.size, clock.nextDueMs]).toEqual([0, undefined]);
});
