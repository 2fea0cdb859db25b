// Shows by trying all sets of nodes that a reservation finds capacity exactly where there is enough, holds
// nothing twice, takes what is free in time if that suffices, and lies on the fewest nodes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HeldCapacity } from '../../../src/scheduler/calendar/calendar-reservation.ts';
import {
  chooseCapacity,
  type GpuRequest,
  type ReservableNode,
} from '../../../src/scheduler/calendar/choose-capacity.ts';
import { gpuNode } from '../gpu-node.ts';

const START_MS = 1000;
const MODELS = ['NVIDIA H100 80GB HBM3', 'NVIDIA A100-SXM4-40GB'];

const gpuArbitrary = fc.record({
  model: fc.constantFrom(...MODELS),
  usable: fc.nat(5).map((roll) => roll > 0),
  freeAtMs: fc.constantFrom(0, 0, 500, START_MS, START_MS + 1, Infinity),
  isTaken: fc.nat(4).map((roll) => roll === 0),
});
type Gpu = typeof gpuArbitrary extends fc.Arbitrary<infer One> ? One : never;

const nodeArbitrary = fc.record({
  gpus: fc.array(gpuArbitrary, { maxLength: 4 }),
  isTaken: fc.nat(9).map((roll) => roll === 0),
});

const fleetArbitrary = fc.array(nodeArbitrary, { minLength: 1, maxLength: 6 });
const requestArbitrary: fc.Arbitrary<GpuRequest> = fc.record({
  gpus: fc.integer({ min: 1, max: 12 }),
  gpuModels: fc.constantFrom<readonly string[]>([], [], ['h100'], ['a100', 'l40']),
  startMs: fc.constant(START_MS),
});

function reservable(
  number: number,
  { gpus, isTaken }: { gpus: readonly Gpu[]; isTaken: boolean },
): ReservableNode {
  const parts = gpus.map(({ model, usable }) => ({ model, usable, memoryMib: 1, freeMilli: 0, numaNode: 0 }));
  const view = gpuNode(`n${number}`, { gpus: parts, links: 'all', instances: [], cores: 8, memoryGib: 8 });
  const devices = view.gpus.filter((_, at) => gpus[at]?.isTaken).map(({ id }) => id);
  const part: HeldCapacity = { nodeId: view.id, devices, cpuMilli: 0, memoryMib: 0 };
  const whole: HeldCapacity = { nodeId: view.id, cpuMilli: 8000, memoryMib: 8192 };
  return {
    view,
    taken: isTaken ? [whole] : devices.length > 0 ? [part] : [],
    freeAtMs: (id) => gpus[view.gpus.findIndex((gpu) => gpu.id === id)]?.freeAtMs ?? 0,
  };
}

/** How many GPUs of a node match, are not taken, and are free by then. */
function offers(
  { gpus, isTaken }: { gpus: readonly Gpu[]; isTaken: boolean },
  { gpuModels }: GpuRequest,
  byMs = Infinity,
): number {
  if (isTaken) return 0;
  return gpus.filter(
    (gpu) =>
      gpu.usable &&
      !gpu.isTaken &&
      gpu.freeAtMs <= byMs &&
      (gpuModels.length === 0 || gpuModels.some((model) => gpu.model.toLowerCase().includes(model))),
  ).length;
}

/** The fewest of these that sum up to enough, by trying all sets. */
function fewest(counts: readonly number[], enough: number): number {
  let least = Infinity;
  for (let set = 0; set < 1 << counts.length; set += 1) {
    const chosen = counts.filter((_, at) => (set >> at) % 2 === 1);
    if (chosen.reduce((sum, count) => sum + count, 0) >= enough) least = Math.min(least, chosen.length);
  }
  return least;
}

test('capacity for a reservation', () => {
  let [inTimeSeen, lateSeen, refusedSeen] = [0, 0, 0];
  fc.assert(
    fc.property(fleetArbitrary, requestArbitrary, (fleet, request) => {
      const nodes = fleet.map((node, number) => reservable(number, node));
      const choice = chooseCapacity(nodes, request);
      const sum = (byMs?: number): number =>
        fleet.reduce((count, node) => count + offers(node, request, byMs), 0);
      if (sum() < request.gpus) {
        refusedSeen += 1;
        expect(choice).toMatchObject({ kind: 'refused', left: sum() });
        return;
      }
      if (choice.kind === 'refused') throw new Error('there is enough');
      const given = choice.held.flatMap(({ devices = [] }) => devices);
      expect(given).toHaveLength(request.gpus);
      expect(new Set(given).size).toBe(request.gpus);
      expect(new Set(choice.held.map(({ nodeId }) => nodeId)).size).toBe(choice.held.length);
      for (const { nodeId, devices = [], cpuMilli } of choice.held) {
        const node = nodes.find(({ view }) => view.id === nodeId)!;
        const taken = new Set(
          node.taken.flatMap((held) => held.devices ?? node.view.gpus.map(({ id }) => id)),
        );
        expect(devices.some((id) => taken.has(id))).toBe(false);
        expect(devices.every((id) => node.view.gpus.some((gpu) => gpu.id === id && gpu.usable))).toBe(true);
        expect(cpuMilli).toBe(Math.floor((8000 * devices.length) / node.view.gpus.length));
      }
      const late = given.filter((id) =>
        nodes.some(({ view, freeAtMs }) => view.gpus.some((gpu) => gpu.id === id) && freeAtMs(id) > START_MS),
      );
      expect(late).toHaveLength(Math.max(0, request.gpus - sum(START_MS)));
      if (late.length > 0) {
        lateSeen += 1;
        return;
      }
      inTimeSeen += 1;
      const counts = fleet.map((node) => offers(node, request, START_MS));
      expect(choice.held).toHaveLength(fewest(counts, request.gpus));
    }),
    { numRuns: 2000 },
  );
  expect(Math.min(inTimeSeen, lateSeen, refusedSeen)).toBeGreaterThan(50);
});
