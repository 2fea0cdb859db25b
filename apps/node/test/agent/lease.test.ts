// Shows that a node never believes longer in its lease than the gateway does, and notices a connection that
// only seems open.
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { expect, test, vi } from 'vitest';
import { Lease } from '../../src/agent/lease.ts';

function opened() {
  const clock = new VirtualClock();
  const expired = vi.fn<() => void>();
  return { clock, expired, lease: new Lease({ clock }, expired) };
}

test('it counts from when the heartbeat was sent, not from when the answer came', async () => {
  const { clock, expired, lease } = opened();
  lease.sent(1);
  await clock.advance(4000);
  lease.granted(1, 10_000);
  expect(lease.expiresAtMs).toBe(10_000);
  await clock.advance(5999);
  expect(expired).not.toHaveBeenCalled();
  await clock.advance(1);
  expect(expired).toHaveBeenCalledOnce();
});

test('late, repeated and unknown answers never shorten or lengthen it', async () => {
  const { clock, lease } = opened();
  lease.sent(1);
  await clock.advance(1000);
  lease.sent(2);
  lease.granted(2, 10_000);
  await clock.advance(500);
  lease.granted(1, 10_000);
  lease.granted(2, 60_000);
  lease.granted(99, 60_000);
  expect(lease.expiresAtMs).toBe(11_000);
});

test('a jump of wall time changes nothing', async () => {
  const { clock, expired, lease } = opened();
  lease.sent(1);
  lease.granted(1, 10_000);
  clock.jumpWallTime(3_600_000);
  await clock.advance(9999);
  expect(expired).not.toHaveBeenCalled();
});

test('without a first answer it ends, and once disposed of never', async () => {
  const { clock, expired, lease } = opened();
  lease.begin(5000);
  await clock.advance(5000);
  expect(expired).toHaveBeenCalledOnce();
  lease.begin(5000);
  lease[Symbol.dispose]();
  await clock.advance(60_000);
  expect(expired).toHaveBeenCalledOnce();
});
