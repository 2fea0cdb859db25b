// Shows that backoff stays within its bounds and that retry gives up when it should, on a virtual clock.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, CodedError, retry, seededRandom, type RetryOptions } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';

it('is never a busy loop, never above its ceiling, and doubles at most', () => {
  fc.assert(
    fc.property(
      fc.nat(5000),
      fc.integer({ min: 1, max: 1e6 }),
      fc.nat(1e6),
      fc.integer(),
      (n, first, more, seed) => {
        const options = { firstMs: first, maxMs: first + more };
        const delay = backoffMs(n, options, seededRandom(seed));
        const ceiling = Math.min(options.maxMs, first * 2 ** Math.min(n, 30));
        expect(delay).toBeGreaterThanOrEqual(ceiling / 10);
        expect(delay).toBeLessThanOrEqual(ceiling);
      },
    ),
  );
});

it('spreads clients that failed together', () => {
  const delays = Array.from({ length: 100 }, (_, seed) =>
    backoffMs(3, { firstMs: 100, maxMs: 10_000 }, seededRandom(seed)),
  );
  expect(new Set(delays.map((delay) => Math.floor(delay / 80))).size).toBeGreaterThan(7);
});

describe('retry', () => {
  const options: RetryOptions = { attempts: 3, firstMs: 100, maxMs: 1000 };
  const failing = (attempt: number): Promise<never> =>
    Promise.reject(new CodedError(`try ${attempt}`, { code: 'busy' }));

  /** Runs `work` with retries while an hour passes; answers its result, its error, and the tries. */
  async function run(work: (attempt: number) => Promise<string>, more: Partial<RetryOptions> = {}) {
    const clock = new VirtualClock();
    let tries = 0;
    const counted = (attempt: number): Promise<string> => {
      tries += 1;
      return work(attempt);
    };
    const outcome = retry({ clock, random: seededRandom(1) }, { ...options, ...more }, counted).catch(
      (error: unknown) => error,
    );
    await clock.advance(3_600_000);
    return { outcome: await outcome, tries };
  }

  it('answers the first success', async () => {
    const result = await run((attempt) => (attempt < 2 ? failing(attempt) : Promise.resolve('done')));
    expect(result).toEqual({ outcome: 'done', tries: 3 });
  });

  it('throws the last error after its attempts', async () => {
    const { outcome, tries } = await run(failing);
    expect(outcome).toMatchObject({ code: 'busy', message: 'try 2' });
    expect(tries).toBe(3);
  });

  it('does not repeat what cannot help', async () => {
    const { outcome, tries } = await run(failing, { retryable: () => false });
    expect(outcome).toMatchObject({ message: 'try 0' });
    expect(tries).toBe(1);
  });

  it('stops waiting when it is aborted', async () => {
    const abort = new AbortController();
    const { outcome, tries } = await run(
      (attempt) => {
        queueMicrotask(() => abort.abort());
        return failing(attempt);
      },
      { signal: abort.signal },
    );
    expect(outcome).toMatchObject({ code: expect.stringMatching(/^(?:aborted|busy)$/) as string });
    expect(tries).toBe(1);
  });
});
