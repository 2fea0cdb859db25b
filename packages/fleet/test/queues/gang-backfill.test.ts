// Shows that a gang that is blocked gets places for all of its members by the time limits of what runs: work
// that would delay it starts there no more, what ends before does, and it is told when it starts: as trying
// every end finds.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QueueFleet } from './queue-fleet.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Three nodes of 2 GPUs, of which two are in use for one and two hours at most; a gang wants all of them. */
async function blocked(last: { readonly timeoutMs?: number } = { timeoutMs: 2 * HOUR_MS }) {
  const fleet = await QueueFleet.open({});
  for (const name of ['a', 'b', 'c']) fleet.fixture.join(name, 2);
  const first = fleet.submit('default', 2, { timeoutMs: HOUR_MS });
  const second = fleet.submit('default', 2, last);
  await fleet.settle();
  fleet.runAll();
  const gang = fleet.submit('default', 2, { gang: { members: 3 } });
  await fleet.settle(3000);
  expect(fleet.states(first, second, gang)).toEqual(['running', 'running', 'queued']);
  return { fleet, first, second, gang };
}

describe('a gang that is blocked', () => {
  test('is not delayed by what came later and does not end in time, also where nodes are free', async () => {
    const { fleet, first, second, gang } = await blocked();
    const small = fleet.submit('default', 1);
    const long = fleet.submit('default', 1, { timeoutMs: 3 * HOUR_MS });
    const brief = fleet.submit('default', 2, { timeoutMs: HOUR_MS });
    await fleet.settle(5000);
    expect(fleet.states(small, long, brief)).toEqual(['queued', 'queued', 'reserved']);
    fleet.runAll();
    for (const work of [first, second]) fleet.end(work);
    await fleet.settle(1000);
    expect(fleet.states(gang, small)).toEqual(['queued', 'queued']);
    fleet.end(brief);
    await fleet.settle(1000);
    expect(fleet.states(gang, small, long)).toEqual(['reserved', 'queued', 'queued']);
    await fleet.close();
  });

  test('is told when it starts at the latest', async () => {
    const { fleet, gang } = await blocked();
    const { waiting } = fleet.fleet.questions.why(gang, []);
    const nowMs = fleet.fixture.clock.nowMs();
    expect(waiting?.start.estimate).toBe('range');
    const inMs = (waiting?.start.toMs ?? 0) - nowMs;
    expect(inMs).toBeGreaterThan(2 * HOUR_MS - MINUTE_MS);
    expect(inMs).toBeLessThan(2 * HOUR_MS + MINUTE_MS);
    expect(waiting?.message).toContain('kept for it');
    await fleet.close();
  });

  test('has no place kept where nothing says when enough ends', async () => {
    const { fleet, gang } = await blocked({});
    const small = fleet.submit('default', 1);
    await fleet.settle(5000);
    expect(fleet.states(gang, small)).toEqual(['queued', 'reserved']);
    expect(fleet.fleet.questions.why(gang, []).waiting?.start).toMatchObject({ estimate: 'unknown' });
    await fleet.close();
  });

  test('gives its places back when it goes away, or when what should have ended does not', async () => {
    const { fleet, gang } = await blocked({ timeoutMs: MINUTE_MS });
    const small = fleet.submit('default', 1);
    await fleet.settle(3000);
    expect(fleet.states(small)).toEqual(['queued']);
    fleet.fleet.intake.stop(gang, false);
    await fleet.settle(3000);
    expect(fleet.states(gang, small)).toEqual(['cancelled', 'reserved']);
    await fleet.close();
  });
});

test('a gang that no limit helps keeps no other from having its place kept', async () => {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 4);
  fleet.fixture.join('b', 2);
  fleet.submit('default', 2, { nodeSelector: { node: 'b' } });
  fleet.submit('default', 2, { timeoutMs: HOUR_MS });
  await fleet.settle();
  fleet.runAll();
  const gang = fleet.submit('default', 2, { gang: { members: 3 } });
  await fleet.settle();
  const large = fleet.submit('default', 4);
  await fleet.settle(10_000);
  const small = fleet.submit('default', 1);
  await fleet.settle(3000);
  expect(fleet.states(gang, large, small)).toEqual(['queued', 'queued', 'queued']);
  expect(fleet.fleet.questions.why(large, []).waiting?.message).toContain('kept for it on a');
  await fleet.close();
});

const GRACE_MS = 10_000;
const nodeArbitrary = fc.record({
  gpus: fc.integer({ min: 1, max: 4 }),
  works: fc.array(
    fc.record({ gpus: fc.integer({ min: 1, max: 3 }), minutes: fc.option(fc.integer({ min: 1, max: 9 })) }),
    {
      maxLength: 3,
    },
  ),
});

test('the moment that is told is the first end after which all members fit', async () => {
  let [told, unknown] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(nodeArbitrary, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 2, max: 5 }),
      async (nodes, each, members) => {
        const fleet = await QueueFleet.open({});
        const running = nodes.flatMap(({ gpus, works }, number) => {
          fleet.fixture.join(`n${number}`, gpus);
          let free = gpus;
          const fit = works.filter((work) => (free -= work.gpus) >= 0);
          return fit.map((work) => ({ ...work, node: number }));
        });
        for (const { gpus, minutes, node } of running)
          fleet.submit('default', gpus, {
            nodeSelector: { node: `n${node}` },
            ...(minutes === null ? {} : { timeoutMs: minutes * MINUTE_MS }),
          });
        await fleet.settle();
        const startedMs = fleet.fixture.clock.nowMs();
        fleet.runAll();
        const gang = fleet.submit('default', each, { gang: { members } });
        await fleet.settle(3000);
        const fitsAt = (minutes: number): boolean => {
          const room = nodes.map(({ gpus }, number) => {
            const there = running.filter((one) => one.node === number && (one.minutes ?? Infinity) > minutes);
            return Math.floor((gpus - there.reduce((sum, one) => sum + one.gpus, 0)) / each);
          });
          return room.reduce((sum, count) => sum + count, 0) >= members;
        };
        if (fleet.states(gang)[0] === 'queued') {
          const { waiting } = fleet.fleet.questions.why(gang, []);
          const ends = running.flatMap(({ minutes }) => minutes ?? []).toSorted((one, other) => one - other);
          const first = ends.find(fitsAt);
          if (first === undefined) {
            unknown += 1;
            expect(waiting?.start.estimate).toBe('unknown');
          } else {
            told += 1;
            const lateMs = (waiting?.start.toMs ?? 0) - (startedMs + first * MINUTE_MS + GRACE_MS);
            expect(lateMs).toBeGreaterThanOrEqual(0);
            expect(lateMs).toBeLessThan(1000);
          }
        } else expect(fitsAt(0)).toBe(true);
        await fleet.close();
      },
    ),
    { numRuns: 150 },
  );
  expect(Math.min(told, unknown)).toBeGreaterThan(10);
});
