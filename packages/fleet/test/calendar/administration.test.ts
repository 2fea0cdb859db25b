// Shows which reservations are refused and with which words, that the same request is the same reservation,
// and that times mean the same moment in every time zone.
import type { CodedError } from '@clawbernetes/kernel';
import { reservationRequestSchema, type ReservationRequestInput } from '@clawbernetes/protocol';
import { describe, expect, test } from 'vitest';
import { QueueFleet } from '../queues/queue-fleet.ts';

const base = { name: 'res', start: '+1h', durationMs: 3_600_000, gpus: 2, queues: ['r'] };
const whole = { name: 'res', start: '+1h', durationMs: 3_600_000, purpose: 'maintenance' as const };

async function openFleet(): Promise<QueueFleet> {
  const fleet = await QueueFleet.open({ r: {} });
  for (const name of ['a', 'b']) fleet.fixture.join(name, 4);
  await fleet.settle();
  return fleet;
}

function create(fleet: QueueFleet, request: ReservationRequestInput) {
  return fleet.fleet.reservations.create(reservationRequestSchema.parse(request));
}

function refusal(fleet: QueueFleet, request: ReservationRequestInput): string {
  try {
    create(fleet, request);
    return 'created';
  } catch (error) {
    return `${(error as CodedError).code}: ${(error as Error).message}`;
  }
}

test.each<[ReservationRequestInput, RegExp]>([
  [{ ...base, start: '2001-01-01T00:00:00Z' }, /^invalid-input: The start lies back by .* write now/],
  [{ ...base, end: '+2h' }, /^invalid-input: Say when it ends or how long/],
  [{ name: 'res', start: '+1h', gpus: 2, queues: ['r'] }, /^invalid-input: Say when it ends or how long/],
  [{ ...base, durationMs: undefined, end: '+1h' }, /^invalid-input: It ends before it begins/],
  [{ ...base, start: '+366d' }, /^invalid-input: It ends in more than a year/],
  [{ ...base, queues: [] }, /^invalid-input: Name the queues/],
  [{ ...base, queues: ['q'] }, /^not-found: There is no queue "q"/],
  [{ ...base, gpus: undefined }, /^invalid-input: Say what to hold/],
  [{ ...base, gpus: 9 }, /^conflict: It asks for 9 × GPU, and the 2 nodes that may hold it have 8/],
  [{ ...base, gpuModels: ['A100'] }, /^conflict: It asks for 2 × A100, .* have 0 in working order/],
  [{ ...base, nodes: ['c'] }, /^not-found: There is no node "c"/],
  [{ ...base, nodeSelector: { rack: 'x' } }, /^not-found: No node of the fleet has these labels/],
  [{ ...whole, nodes: ['a'], queues: ['r'] }, /^invalid-input: Maintenance is nobody/],
  [{ ...whole, gpus: 2 }, /^invalid-input: Maintenance takes whole nodes/],
  [whole, /^invalid-input: Say what to hold/],
])('%j is refused', async (request, words) => {
  const fleet = await openFleet();
  expect(refusal(fleet, request)).toMatch(words);
  expect(fleet.fleet.reservations.list()).toEqual([]);
  await fleet.close();
});

test.each(['tomorrow', '2026-03-29T08:00:00', '2026-02-30T08:00:00Z', '+2w', '2h', '+', '08:00'])(
  '%s is no time: it says which are',
  (start) => {
    const { error } = reservationRequestSchema.safeParse({ ...base, start });
    expect(error?.issues[0]?.message).toContain('a time from now such as +2h');
  },
);

describe('two reservations', () => {
  test('of the same time hold nothing twice; what cannot be is refused with who is in the way', async () => {
    const fleet = await openFleet();
    const [first, second] = [
      create(fleet, { ...base, name: 'one', gpus: 5 }),
      create(fleet, { ...base, name: 'two', gpus: 3 }),
    ];
    const devices = [first, second].flatMap(({ nodes }) => nodes.flatMap((node) => node.devices));
    expect(new Set(devices).size).toBe(8);
    expect(refusal(fleet, { ...base, name: 'three', gpus: 1 })).toMatch(
      /^conflict: It asks for 1 × GPU; of 8 only 0 are left .* by one \(.*\), two \(.*\)\. Choose another/,
    );
    expect(refusal(fleet, { ...whole, name: 'four', nodes: ['a'] })).toMatch(
      /^conflict: At that time a by one .* held already/,
    );
    fleet.fleet.reservations.delete('two');
    expect(refusal(fleet, { ...base, name: 'three', gpus: 4 })).toMatch(
      /only 3 are left .* Ask for 3, choose/,
    );
    expect(refusal(fleet, { ...base, name: 'three', gpus: 3 })).toBe('created');
    await fleet.close();
  });

  test('of other times hold the same, one after the other', async () => {
    const fleet = await openFleet();
    create(fleet, { ...base, name: 'one', gpus: 8 });
    expect(refusal(fleet, { ...whole, name: 'two', start: '+2h', nodes: ['a'] })).toBe('created');
    expect(refusal(fleet, { ...base, name: 'three', start: '+119m', gpus: 5 })).toMatch(/^conflict/);
    await fleet.close();
  });
});

test('the same request again is the same reservation, another of that name is refused', async () => {
  const fleet = await openFleet();
  const { startMs, createdAtMs } = create(fleet, base);
  await fleet.settle(60_000);
  expect(create(fleet, base)).toMatchObject({ startMs, createdAtMs });
  expect(refusal(fleet, { ...base, gpus: 3 })).toMatch(/^name-taken: There is a reservation "res" already/);
  expect(fleet.fleet.reservations.list()).toHaveLength(1);
  await fleet.close();
});

test('a queue stays as long as it has a reservation', async () => {
  const fleet = await openFleet();
  create(fleet, base);
  expect(() => fleet.fleet.queues.delete('r')).toThrow(/has reservation res until/);
  fleet.fleet.reservations.delete('res');
  fleet.fleet.queues.delete('r');
  await fleet.close();
});

test('a moment is the same in every time zone, also where the clock is put forward between', async () => {
  const fleet = await openFleet();
  const nowMs = fleet.fixture.clock.nowMs();
  const day = new Date(nowMs + 86_400_000).toISOString().slice(0, 10);
  const create3 = ['08:00:00+02:00', '06:00:00Z', '01:30:00-04:30'].map((time, at) =>
    create(fleet, { ...base, name: `res-${at}`, start: `${day}T${time}` }),
  );
  const startMs = Date.parse(`${day}T06:00:00Z`);
  for (const one of create3) expect(one).toMatchObject({ startMs, endMs: startMs + 3_600_000 });
  await fleet.close();
});

test('as few nodes as possible, and rather such where nothing is in the way', async () => {
  const fleet = await openFleet();
  const busy = fleet.submit('r', 1, { nodeSelector: { node: 'a' }, queue: 'default' });
  await fleet.settle();
  fleet.runAll();
  const view = create(fleet, { ...base, gpus: 4 });
  expect(fleet.states(busy)).toEqual(['running']);
  expect(view.nodes.map(({ node, gpus }) => [node, gpus])).toEqual([['b', 4]]);
  expect(create(fleet, { ...base, name: 'more', gpus: 4 }).outlasting).toMatchObject([{ workload: busy.id }]);
  await fleet.close();
});
