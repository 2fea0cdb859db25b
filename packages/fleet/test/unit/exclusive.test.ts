// Shows that no history of failures, silence, returns, drains, orders by force and crashes gives exclusive
// work two attempts that could run at once, nor a gang a rank twice or members of two reservations.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acts, AFTER_MS, ExclusiveWorld } from './exclusive-world.ts';

const MANY = { attempts: 50, delayMs: 0 };
const SPEC = { restart: MANY, reschedule: MANY, replace: MANY };
const GANG = { ...SPEC, resources: { cpuMilli: 3000 }, gang: { members: 3, minMembers: 2 } };
const STOPS = { onDisconnect: { action: 'stop' as const, afterMs: AFTER_MS } };

test.each([
  ['a workload', SPEC],
  ['a gang', GANG],
  ['a gang that never restarts in its places', { ...GANG, restart: undefined, gang: { members: 2 } }],
])(
  'never two at once, and now and then a second one after the first: %s',
  async (_, spec) => {
    let successors = 0;
    const submit = (world: ExclusiveWorld, stops: boolean): Promise<void> =>
      world.submit({ ...spec, ...(stops ? STOPS : {}) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(0.9, 1, 1.09), { minLength: 3, maxLength: 3 }),
        fc.array(acts(submit), { minLength: 5, maxLength: 25 }),
        async (slowness, history) => {
          const world = await ExclusiveWorld.open(slowness);
          await submit(world, true);
          for (const one of history) await one(world);
          successors += world.workloads.filter(({ id }) => world.beganAnew(id)).length;
        },
      ),
      { numRuns: 100 },
    );
    expect(successors).toBeGreaterThan(10);
  },
  60_000,
);
