// Shows how long failures in a row are met with another try.
import { seededRandom } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { apiError } from '@clawbernetes/protocol/errors';
import { describe, expect, it } from 'vitest';
import { unreachable } from '../../src/errors.ts';
import { Patience } from '../../src/patience.ts';

const refused = unreachable('http://gateway.test', { code: 'ECONNREFUSED' });
const idle = unreachable('http://gateway.test', { code: 'UND_ERR_HEADERS_TIMEOUT' });

function patient(patienceMs: number): { clock: VirtualClock; fail: (error: unknown) => Promise<unknown> } {
  const clock = new VirtualClock();
  const patience = new Patience({ clock, random: seededRandom(1) }, { patienceMs: () => patienceMs });
  const fail = async (error: unknown): Promise<unknown> => {
    const outcome = patience.afterFailure(error).then(
      () => 'try again',
      (thrown: unknown) => thrown,
    );
    await clock.advance(5000);
    return outcome;
  };
  return { clock, fail };
}

describe('Patience', () => {
  it('gives up with the last error when failures in a row last too long', async () => {
    const { clock, fail } = patient(60_000);
    expect(await fail(refused)).toBe('try again');
    await clock.advance(50_000);
    expect(await fail(refused)).toBe('try again');
    await clock.advance(10_000);
    expect(await fail(refused)).toBe(refused);
  });

  it('does not count the minutes of a connection on which nothing had to be said', async () => {
    const { clock, fail } = patient(60_000);
    expect(await fail(refused)).toBe('try again');
    for (let hours = 0; hours < 3; hours += 1) {
      await clock.advance(3_600_000);
      expect(await fail(idle)).toBe('try again');
    }
  });

  it('waits as long as the gateway asks, if that is not too long', async () => {
    const { fail } = patient(1000);
    expect(await fail(apiError('overloaded', 'Busy.', { retryAfterMs: 900 }))).toBe('try again');
    const tooLong = apiError('overloaded', 'Busy.', { retryAfterMs: 1100 });
    expect(await patient(1000).fail(tooLong)).toBe(tooLong);
  });
});
