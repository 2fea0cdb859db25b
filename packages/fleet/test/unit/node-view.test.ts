// Shows that the view of a node that follows from a placement is the one made anew from all that runs there.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { emptyNode, snapshotNode } from '../../src/node/snapshot-node.ts';
import type { AttemptRecord } from '../../src/index.ts';
import { fitNow } from '../../src/scheduler/fit.ts';
import { afterPlacement } from '../../src/scheduler/placement.ts';
import { shapeOf } from '../../src/scheduler/resources.ts';
import { FleetFixture } from './fleet-fixture.ts';

const fixture = await FleetFixture.open();
const node = fixture.fleet.node(fixture.join('a', 8));
const here = { connectivity: 'connected', reconciled: true, lastSeenMs: 0, lastSeenAtMs: 0 } as const;
const workload = fixture.submit({ resources: { gpus: 1, cpuMilli: 100, memoryMib: 64 } });
await fixture.settle();
const example: AttemptRecord = fixture.attemptOf(workload);

/** GPUs or a share of one, CPU and memory of each workload, and whether the oldest ends before it comes. */
const gpuRequests = fc.oneof(
  fc.record({ gpus: fc.nat(4) }),
  fc.record({ gpus: fc.constant(1), gpuMilli: fc.constantFrom(100, 300, 333, 999) }),
);
const steps = fc.array(fc.tuple(gpuRequests, fc.integer({ min: 1, max: 1500 }), fc.nat(2000), fc.boolean()), {
  minLength: 1,
  maxLength: 20,
});

it('agrees after every placement, whatever ends between them', () => {
  fc.assert(
    fc.property(steps, (placed) => {
      const empty = emptyNode(node, { presence: here });
      const live: AttemptRecord[] = [];
      for (const [asked, cpuMilli, memoryMib, ends] of placed) {
        if (ends) live.shift();
        const view = snapshotNode(empty, live);
        const shape = { ...shapeOf(workload.spec, undefined), ...asked, cpuMilli, memoryMib };
        const devices = fitNow(view, shape);
        if (!devices) continue;
        const { gpuMilli } = shape;
        const held = { devices, ...(gpuMilli === undefined ? {} : { gpuMilli }), cpuMilli, memoryMib };
        live.push({ ...example, id: `at-${live.length}`, ...held });
        const next = afterPlacement(view, shape, devices);
        expect(next).toEqual(snapshotNode(empty, live));
        expect(next.empty).toBe(empty);
      }
    }),
    { numRuns: 300 },
  );
});
