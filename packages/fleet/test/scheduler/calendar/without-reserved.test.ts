// Shows moment by moment whom a reservation keeps away, and that a node less what is reserved never offers
// a reserved GPU, nor does when something on it ends, while the rest stays as it is.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withholds, type TimedUse } from '../../../src/scheduler/calendar/calendar-reservation.ts';
import { withoutReserved, type Withheld } from '../../../src/scheduler/calendar/without-reserved.ts';
import { fitNow } from '../../../src/scheduler/fit.ts';
import { withoutHolders } from '../../../src/scheduler/why/holder.ts';
import { gpuShapeArbitrary, nodeArbitrary } from '../gpu-node.ts';

const moment = fc.integer({ min: 0, max: 12 });
const queue = fc.constantFrom('a', 'a/x', 'ab', 'b');

test('a reservation keeps away what would be there in a moment that is not its own', () => {
  fc.assert(
    fc.property(
      fc.tuple(moment, moment).filter(([start, end]) => start < end),
      fc.tuple(moment, fc.oneof(moment, fc.constant(Infinity))).filter(([from, to]) => from < to),
      queue,
      fc.subarray(['a', 'b/c']),
      ([startMs, endMs], [fromMs, toMs], of, queues) => {
        const use: TimedUse = { queue: of, fromMs, toMs };
        const isOwn = queues.some((owner) => of === owner || of.startsWith(`${owner}/`));
        const moments = Array.from({ length: 14 }, (_, at) => at).filter((at) => at >= fromMs && at < toMs);
        const isThere = moments.some((at) => at >= startMs && at < endMs);
        // Who is there at its start came before it: that is nobody's right.
        const expected = isThere && !(isOwn && fromMs >= startMs);
        expect(withholds({ startMs, endMs, queues }, use)).toBe(expected);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a node less what is reserved', () => {
  let [partly, wholly, freed] = [0, 0, 0];
  fc.assert(
    fc.property(
      nodeArbitrary,
      gpuShapeArbitrary,
      fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
      fc.boolean(),
      (node, shape, picks, isWhole) => {
        const devices = node.gpus.filter((_, at) => picks[at]).map(({ id }) => id);
        const reservation = { name: 'r', startMs: 0, untilMs: 1 };
        const held = { nodeId: node.id, ...(isWhole ? {} : { devices }), cpuMilli: 0, memoryMib: 0 };
        const withheld: readonly Withheld[] = [{ reservation, endMs: 1, held }];
        const left = withoutReserved(node, withheld, [], 0);
        const given = fitNow(left, shape);
        const all = fitNow(node, shape);
        if (isWhole) {
          wholly += 1;
          expect(given).toBeUndefined();
        } else {
          const others = {
            ...node,
            gpus: node.gpus.filter(({ id }) => !devices.includes(id)),
            gpuClass: undefined,
          };
          if (given) partly += 1;
          expect(given?.some((id) => devices.includes(id)) ?? false).toBe(false);
          if (given) expect(all).toBeDefined();
          const { gpuClass: _, ...plain } = others;
          if (shape.nvlink === undefined)
            expect(given !== undefined).toBe(fitNow(plain, shape) !== undefined);
        }
        const holders = node.gpus.map(({ id, freeMilli }) => ({
          ...{ workloadId: id, name: id, nodeId: node.id, devices: [id], gpuMilli: 1000 - freeMilli },
          ...{ cpuMilli: 100, memoryMib: 1, graceMs: 0 },
        }));
        const then = withoutHolders(left, holders);
        const later = fitNow(then, shape);
        if (later && !given) freed += 1;
        expect(later?.some((id) => isWhole || devices.includes(id)) ?? false).toBe(false);
        expect(then.reserved?.without).toEqual(withoutHolders(node, holders));
      },
    ),
    { numRuns: 2000 },
  );
  expect(Math.min(partly, wholly, freed)).toBeGreaterThan(20);
});

test('CPU and memory of a reservation are used up by what runs on its GPUs, and never twice', () => {
  fc.assert(
    fc.property(
      nodeArbitrary,
      fc.nat(4000),
      fc.array(fc.nat(1500), { maxLength: 4 }),
      (node, cpuMilli, uses) => {
        const [gpu] = node.gpus;
        fc.pre(gpu !== undefined);
        const live = uses.map((used) => ({ devices: [gpu.id], cpuMilli: used, memoryMib: 0 }));
        const used = uses.reduce((sum, one) => sum + one, 0);
        const held = { nodeId: node.id, devices: [gpu.id], cpuMilli, memoryMib: 0 };
        const reservation = { name: 'r', startMs: 0, untilMs: 1 };
        const { free } = withoutReserved(node, [{ reservation, endMs: 1, held }], live, 0);
        expect(free.cpuMilli).toBe(Math.max(0, node.free.cpuMilli - Math.max(0, cpuMilli - used)));
        expect(free.memoryMib).toBe(node.free.memoryMib);
      },
    ),
  );
});

test('reservations take what they hold at one time, at the worst moment', () => {
  const spans = fc.tuple(moment, moment).filter(([start, end]) => start < end);
  const holding = fc.record({ span: spans, cpuMilli: fc.nat(3000), memoryMib: fc.nat(3000) });
  let successive = 0;
  fc.assert(
    fc.property(nodeArbitrary, fc.array(holding, { minLength: 1, maxLength: 4 }), (node, holdings) => {
      const withheld = holdings.map(({ span: [startMs, endMs], ...amount }) => ({
        // That of his own queue keeps nothing from him once it has begun.
        reservation: { name: 'r', startMs, untilMs: startMs },
        endMs,
        held: { nodeId: node.id, devices: [], ...amount },
      }));
      const most = (of: 'cpuMilli' | 'memoryMib'): number => {
        const at = (now: number): number =>
          holdings.reduce(
            (sum, { span: [start, end], ...one }) => sum + (start <= now && now < end ? one[of] : 0),
            0,
          );
        return Math.max(...Array.from({ length: 13 }, (_, now) => at(now)));
      };
      const all = holdings.reduce((sum, { cpuMilli }) => sum + cpuMilli, 0);
      if (most('cpuMilli') < all) successive += 1;
      expect(withoutReserved(node, withheld, [], 0).free).toEqual({
        cpuMilli: Math.max(0, node.free.cpuMilli - most('cpuMilli')),
        memoryMib: Math.max(0, node.free.memoryMib - most('memoryMib')),
      });
    }),
  );
  expect(successive).toBeGreaterThan(20);
});
