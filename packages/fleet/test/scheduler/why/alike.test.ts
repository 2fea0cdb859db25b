// Shows that looking once at nodes that are alike says the same as looking at each.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WaitExplanation } from '@clawbernetes/protocol';
import type { SnapshotNode } from '../../../src/index.ts';
import { FleetPacking } from '../../../src/scheduler/score/fleet-packing.ts';
import { explainWaiting } from '../../../src/scheduler/why/explain-waiting.ts';
import { aheadArbitrary, fleetArbitrary, holdersIn, NOW_MS, shapeArbitrary } from './random-fleet.ts';

test('nodes that are alike are told as if each had been looked at by itself', () => {
  fc.assert(
    fc.property(fleetArbitrary, shapeArbitrary, aheadArbitrary, ({ nodes, holders }, shape, ahead) => {
      // Twins, whose names alone tell them apart.
      const all = nodes.flatMap((node) =>
        ['', '-twin'].map((suffix): SnapshotNode => {
          const name = `${node.name}${suffix}`;
          return { ...node, id: `${node.id}${suffix}`, name, labels: { ...node.labels, node: name } };
        }),
      );
      const question = { nodes: all, shape, ahead, unapproved: [], nowMs: NOW_MS, limitOf: () => undefined };
      const holdersOf = holdersIn([
        ...holders,
        ...holders.map((one) => ({
          ...one,
          nodeId: `${one.nodeId}-twin`,
          workloadId: `${one.workloadId}-twin`,
        })),
      ]);
      const likenessOf = new FleetPacking().groupKey;
      const [together, apart] = [{ likenessOf }, {}].map((how) =>
        explainWaiting({ ...question, holdersOf, ...how }),
      );
      expect(together?.obstacles).toEqual(apart?.obstacles);
      expect(together?.nearest).toEqual(apart?.nearest);
      expect(together?.reason).toBe(apart?.reason);
      expect(together?.start).toEqual(apart?.start);
      const kinds = (told: WaitExplanation | undefined) =>
        told?.remedies.map(({ steps, certain }) => [...steps.map(({ step }) => step), certain]);
      expect(kinds(together)).toEqual(kinds(apart));
    }),
    { numRuns: 300 },
  );
});
