// Shows that silence counts from when something of a node came, not from when the fleet was told: nobody is
// called silent early or late, and what a node has to end by itself is not given up before it must have.
import { present } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_FLEET_OPTIONS } from '../../src/fleet-core.ts';
import { fencedAfterMs } from '../../src/workload/policy/fence.ts';
import { FleetFixture } from './fleet-fixture.ts';
import { startRunning } from './running-work.ts';

const SECOND = 1000;
/** The fleet looks twice a second. */
const LOOK_MS = 500;
const { suspectAfterMs, leaseMs } = DEFAULT_FLEET_OPTIONS;

/** Of node-a: when something came last, and what the fleet makes of it. */
class Node {
  readonly fixture: FleetFixture;
  cameMs = 0;

  constructor(fixture: FleetFixture) {
    this.fixture = fixture;
    fixture.join('a', 1);
  }

  get connectivity(): string {
    const { fleet } = this.fixture;
    return fleet.nodeView(fleet.node('node-a')).connectivity;
  }

  get silentMs(): number {
    return this.fixture.clock.monotonicMs() - this.cameMs;
  }

  comes(): void {
    this.cameMs = this.fixture.clock.monotonicMs();
    this.fixture.arrived.set('node-a', this.cameMs);
  }

  /** What came has its turn, which leads back if it is not too old. */
  hasTurn(): void {
    const before = this.connectivity;
    this.fixture.fleet.registry.heard('node-a');
    expect(this.connectivity).toBe(this.silentMs < suspectAfterMs ? 'connected' : before);
  }
}

test('a node is suspect and out of reach so long after something came, however late that has its turn', async () => {
  const frame = fc.record({
    pauseMs: fc.integer({ min: 100, max: 45 * SECOND }),
    behindMs: fc.integer({ min: 0, max: 60 * SECOND }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 8 }), async (frames) => {
      const fixture = await FleetFixture.open();
      const { clock } = fixture;
      const node = new Node(fixture);
      let [cameMs, turnMs] = [0, 0];
      for (const { pauseMs, behindMs } of frames) {
        cameMs += pauseMs;
        turnMs = Math.max(turnMs, cameMs + behindMs);
        clock.after(cameMs, () => node.comes());
        clock.after(turnMs, () => node.hasTurn());
      }
      while (clock.monotonicMs() < turnMs + leaseMs + LOOK_MS) {
        const before = { connectivity: node.connectivity, cameMs: node.cameMs };
        await clock.advance(LOOK_MS);
        const { connectivity, silentMs } = node;
        if (before.connectivity === 'connected' && connectivity !== 'connected')
          expect(clock.monotonicMs() - before.cameMs).toBeGreaterThanOrEqual(suspectAfterMs);
        if (silentMs >= suspectAfterMs + LOOK_MS) expect(connectivity).not.toBe('connected');
        if (silentMs >= leaseMs + LOOK_MS) expect(connectivity).toBe('disconnected');
      }
    }),
    { numRuns: 50 },
  );
});

test('what came over a connection that does not count any more is no contact', async () => {
  const fixture = await FleetFixture.open();
  const node = new Node(fixture);
  await fixture.settle(15 * SECOND);
  node.comes();
  fixture.arrived.delete('node-a');
  await fixture.settle(5 * SECOND);
  expect(node.connectivity).toBe('suspect');
});

test('contact never goes back, and a node that could say nothing until it was let in is not silent', async () => {
  const fixture = await FleetFixture.open();
  const node = new Node(fixture);
  node.comes();
  await fixture.settle(40 * SECOND);
  fixture.fleet.registry.connected('node-a');
  await fixture.settle(15 * SECOND);
  fixture.fleet.registry.heard('node-a');
  expect(node.connectivity).toBe('connected');
  await fixture.settle(5 * SECOND);
  expect(node.connectivity).toBe('suspect');
});

test('what its node has to end by itself is given up so long after something came last, not before', async () => {
  const fixture = await FleetFixture.open();
  const node = new Node(fixture);
  const spec = { onDisconnect: { action: 'stop' as const, afterMs: 60_000 }, stopGraceMs: 10_000 };
  const workload = await startRunning(fixture, { ...spec, resources: { gpus: 1 } });
  const afterMs = present(fencedAfterMs(workload.spec), 'the time until it must have ended');
  await fixture.settle(50 * SECOND);
  expect(fixture.attemptOf(workload).unknownSinceMs).toBeDefined();
  // It has no turn: the gateway has not answered, so the node counts from earlier than this.
  node.comes();
  await fixture.settle(afterMs - SECOND);
  expect(fixture.attemptOf(workload).state).toBe('running');
  await fixture.settle(2 * SECOND);
  expect(fixture.attemptOf(workload).state).toBe('lost');
});
