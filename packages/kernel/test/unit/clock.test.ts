// Shows that sleep, withTimeout and every keep their promises, and that the virtual clock is orderly.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { every, sleep, systemClock, withTimeout } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';

/** `promise`'s outcome so far: its value, its error's code, or "waiting". */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  const waiting = new Promise((resolve) => {
    setImmediate(resolve, 'waiting');
  });
  return Promise.race([promise, waiting]).catch((error: unknown) => error);
}

describe('sleep', () => {
  it('ends at its time and not before', async () => {
    const clock = new VirtualClock();
    const slept = sleep(clock, 100).then(() => clock.monotonicMs());
    await clock.advance(99);
    expect(await outcomeOf(slept)).toBe('waiting');
    await clock.advance(1);
    expect(await slept).toBe(100);
  });

  it('ends at once when aborted, leaving no timer', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const slept = sleep(clock, 100, { signal: abort.signal });
    abort.abort();
    await expect(slept).rejects.toMatchObject({ code: 'aborted' });
    expect(clock.nextDueMs).toBeUndefined();
  });

  it('does not begin when already aborted', async () => {
    const clock = new VirtualClock();
    await expect(sleep(clock, 100, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(clock.nextDueMs).toBeUndefined();
  });
});

describe('withTimeout', () => {
  it('passes the value on and leaves no timer', async () => {
    const clock = new VirtualClock();
    expect(await withTimeout(clock, 50, 'too late', Promise.resolve('value'))).toBe('value');
    expect(clock.nextDueMs).toBeUndefined();
  });

  it('passes an error on', async () => {
    const clock = new VirtualClock();
    const failed = Promise.reject(new Error('broken'));
    await expect(withTimeout(clock, 50, 'too late', failed)).rejects.toThrow('broken');
  });

  it('fails with its message once the time is up', async () => {
    const clock = new VirtualClock();
    const limited = withTimeout(clock, 50, 'The probe took too long.', new Promise(() => undefined));
    const failure = limited.catch((error: unknown) => error);
    await clock.advance(50);
    expect(await failure).toMatchObject({ code: 'timeout', message: 'The probe took too long.' });
  });
});

describe('every', () => {
  it('ticks once per period until it is cancelled', async () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    const timer = every(clock, 10, () => ticks.push(clock.monotonicMs()));
    await clock.advance(35);
    expect(ticks).toEqual([10, 20, 30]);
    timer.cancel();
    await clock.advance(100);
    expect(ticks).toHaveLength(3);
  });

  it('can be cancelled by its own tick', async () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const timer = every(clock, 10, () => {
      ticks += 1;
      timer.cancel();
    });
    await clock.advance(100);
    expect(ticks).toBe(1);
  });
});

describe('VirtualClock', () => {
  it('fires timers by due time, those of one instant by age', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 40 }), async (delays) => {
        const clock = new VirtualClock();
        const fired: [number, number][] = [];
        delays.forEach((delay, index) => clock.after(delay, () => fired.push([clock.monotonicMs(), index])));
        await clock.advance(50);
        const expected = delays.map((delay, index): [number, number] => [delay, index]);
        expect(fired).toEqual(expected.toSorted(([dueA, ageA], [dueB, ageB]) => dueA - dueB || ageA - ageB));
      }),
      { numRuns: 50 },
    );
  });

  it('lets the promises of a timer settle before the next timer', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    const steps = async (): Promise<void> => {
      for (const step of ['a', 'b', 'c']) {
        await Promise.resolve();
        order.push(step);
      }
    };
    clock.after(1, () => void steps());
    clock.after(1, () => order.push('next'));
    await clock.advance(1);
    expect(order).toEqual(['a', 'b', 'c', 'next']);
  });

  it('counts a chain of waits to the millisecond', async () => {
    const clock = new VirtualClock({ startMs: 1000 });
    const chain = (async () => {
      for (let i = 0; i < 10; i += 1) await sleep(clock, 7);
      return clock.nowMs();
    })();
    await clock.advance(1000);
    expect(await chain).toBe(1070);
    expect(clock.monotonicMs()).toBe(1000);
  });

  it('jumps wall time without touching timers', async () => {
    const clock = new VirtualClock({ startMs: 1_000_000 });
    const slept = sleep(clock, 10);
    clock.jumpWallTime(-500_000);
    expect(clock.nowMs()).toBe(500_000);
    expect(await outcomeOf(slept)).toBe('waiting');
    await clock.advance(10);
    expect(await outcomeOf(slept)).toBeUndefined();
  });

  it('moves to the next timer on demand', () => {
    const clock = new VirtualClock();
    clock.after(1, () => undefined).cancel();
    clock.after(5, () => undefined);
    expect([clock.nextDueMs, clock.fireNext(), clock.monotonicMs(), clock.fireNext()]).toEqual([
      5,
      true,
      5,
      false,
    ]);
  });

  it('stops users that spin without letting time pass', async () => {
    const clock = new VirtualClock();
    const spin = (): void => void clock.after(0, spin);
    spin();
    await expect(clock.advance(1)).rejects.toMatchObject({ code: 'assertion-failed' });
  });
});

it('the system clock calls back, cancels, and never runs backwards', async () => {
  const before = systemClock.monotonicMs();
  const cancelled = systemClock.after(0, () => expect.unreachable());
  cancelled.cancel();
  await sleep(systemClock, 1);
  expect(systemClock.monotonicMs()).toBeGreaterThan(before);
});
