// Shows when work that may not run without contact is ended: counted from the newest contact of its own
// agent, on a clock that goes on while the machine sleeps, and never later than asked for.
import fc from 'fast-check';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { expect, test } from 'vitest';
import { ContactWatch } from '../../src/supervisor/contact-watch.ts';
import { launchOf } from './bench.ts';

function opened() {
  const clock = new VirtualClock();
  const expired: string[] = [];
  let sleptMs = 0;
  const watch = new ContactWatch({
    clock,
    uptimeMs: () => clock.monotonicMs() + sleptMs,
    expired: (attemptId) => expired.push(attemptId),
  });
  const sleep = (ms: number): void => void (sleptMs += ms);
  return { clock, expired, watch, sleep };
}

const stopping = (attemptId: string, afterMs: number, contactMs?: number) => ({
  ...launchOf(attemptId, 'true', { onDisconnect: { action: 'stop', afterMs } }),
  ...(contactMs === undefined ? {} : { contactMs }),
});

test('it ends in time, and what has contact, another owner or no such wish goes on', async () => {
  const { clock, expired, watch } = opened();
  watch.watch('one', stopping('short', 5000, 0));
  watch.watch('one', stopping('long', 9000, 0));
  watch.watch('other', stopping('others', 5000, 0));
  watch.watch('one', launchOf('endless', 'true', { onDisconnect: { action: 'continue' } }));
  expect(watch.contact('other', 4000)).toBe(false);
  await clock.advance(4000);
  expect(watch.contact('other', 4000)).toBe(true);
  expect(watch.contact('other', 3000)).toBe(false);
  await clock.advance(999);
  expect(expired).toEqual([]);
  await clock.advance(1);
  expect(expired).toEqual(['short']);
  await clock.advance(100_000);
  expect(expired).toEqual(['short', 'long', 'others']);
});

test('a machine that slept looks at the time within a second', async () => {
  const { clock, expired, watch, sleep } = opened();
  watch.watch('one', stopping('asleep', 60_000, 0));
  await clock.advance(10_000);
  sleep(3_600_000);
  await clock.advance(1000);
  expect(expired).toEqual(['asleep']);
});

test('what was ordered too long ago does not begin, nor what was ordered by an agent that knows no contact', async () => {
  const { clock, watch } = opened();
  await clock.advance(10_000);
  expect(watch.mayBegin(stopping('late', 5000, 5000))).toBe(false);
  expect(watch.mayBegin(stopping('early', 5000, 5001))).toBe(true);
  expect(watch.mayBegin(stopping('unknown', 5000))).toBe(false);
  expect(watch.mayBegin(launchOf('any', 'true'))).toBe(true);
});

test('whatever contact it is told of, it ends neither before nor more than a second after its time', async () => {
  const history = fc.array(fc.record({ passMs: fc.nat(7000), agoMs: fc.nat(9000) }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const { clock, expired, watch } = opened();
      let lastMs = 0;
      watch.watch('one', stopping('it', 6000, 0));
      for (const { passMs, agoMs } of steps) {
        await clock.advance(passMs);
        const nowMs = clock.monotonicMs();
        if (expired.length > 0) {
          expect(nowMs).toBeGreaterThanOrEqual(lastMs + 6000);
          return;
        }
        expect(nowMs).toBeLessThan(lastMs + 6000);
        watch.contact('one', nowMs - agoMs);
        lastMs = Math.max(lastMs, nowMs - agoMs);
      }
    }),
  );
});
