// Shows that ids made later sort later, do not collide, and use the alphabet they promise.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeBase32, newId, seededRandom } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';

/** Far enough for every clock this century and the next few: ten base-32 characters hold 2^50 ms. */
const time = fc.integer({ min: 0, max: 2 ** 50 - 2 });

const idAt = (startMs: number, seed: number): string =>
  newId('w', new VirtualClock({ startMs }), seededRandom(seed));

it('sorts by time', () => {
  fc.assert(
    fc.property(time, fc.nat(1e9), fc.integer(), (startMs, later, seed) => {
      const laterMs = Math.min(startMs + later + 1, 2 ** 50 - 1);
      expect(idAt(startMs, seed) < idAt(laterMs, seed + 1)).toBe(true);
    }),
  );
});

it('has the prefix, then 20 characters without i, l, o and u', () => {
  fc.assert(
    fc.property(time, fc.integer(), (startMs, seed) => {
      expect(idAt(startMs, seed)).toMatch(/^w-[0-9a-hjkmnp-tv-z]{20}$/);
    }),
  );
});

it('does not collide within one millisecond', () => {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  expect(new Set(Array.from({ length: 10_000 }, () => newId('w', clock, random))).size).toBe(10_000);
});

it('writes base 32 as the number it stands for', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
      const groups = bits.match(/.{1,5}/g) ?? [];
      const expected = groups.map((group) => {
        return '0123456789abcdefghjkmnpqrstvwxyz'.charAt(parseInt(group.padEnd(5, '0'), 2));
      });
      expect(encodeBase32(bytes)).toBe(expected.join(''));
    }),
  );
});
