// Shows that a large workload that is blocked gets its place by the time limits of what runs: nothing that
// would delay it starts there, what ends before may, and what is left of the node stays with the others.
import { describe, expect, test } from 'vitest';
import type { GpuFault } from '@clawbernetes/protocol';
import { inventory } from '../unit/fleet-fixture.ts';
import { QueueFleet } from './queue-fleet.ts';

const HOUR_MS = 3_600_000;

/** A node of 4 GPUs, two of them in use for an hour at most, and one that waits for all four. */
async function blocked(options: { readonly timeoutMs?: number } = { timeoutMs: HOUR_MS }) {
  const fleet = await QueueFleet.open({});
  fleet.fixture.join('a', 4);
  const running = fleet.submit('default', 2, options);
  await fleet.settle();
  for (const attempt of fleet.fleet.liveAttempts('node-a'))
    fleet.fixture.report(attempt, {
      ...{ state: 'running', revision: 1, startedAtMs: fleet.fixture.clock.nowMs() },
    });
  const large = fleet.submit('default', 4);
  await fleet.settle(3000);
  expect(fleet.states(running, large)).toEqual(['running', 'queued']);
  return { fleet, running, large };
}

describe('a workload that is blocked', () => {
  test('is not delayed by what came later and has no limit, nor by what would end too late', async () => {
    const { fleet, running, large } = await blocked();
    const small = fleet.submit('default', 1);
    const long = fleet.submit('default', 1, { timeoutMs: 2 * HOUR_MS });
    await fleet.settle(5000);
    expect(fleet.states(small, long)).toEqual(['queued', 'queued']);
    fleet.end(running);
    await fleet.settle(1000);
    expect(fleet.states(large, small, long)).toEqual(['reserved', 'queued', 'queued']);
    await fleet.close();
  });

  test('lets what ends before use its place', async () => {
    const { fleet, large } = await blocked();
    const brief = fleet.submit('default', 1, { timeoutMs: HOUR_MS / 2 });
    await fleet.settle(5000);
    expect(fleet.states(brief, large)).toEqual(['reserved', 'queued']);
    await fleet.close();
  });

  test('is told where, and by when at the latest', async () => {
    const { fleet, large } = await blocked();
    const { waiting } = fleet.fleet.questions.why(large, []);
    expect(waiting?.message).toContain('A place is kept for it on a');
    expect(waiting?.start).toMatchObject({ estimate: 'range' });
    await fleet.close();
  });

  test('leaves the rest of the node to the others', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 8);
    fleet.submit('default', 6, { timeoutMs: HOUR_MS });
    await fleet.settle();
    fleet.runAll();
    const large = fleet.submit('default', 5);
    await fleet.settle(3000);
    const small = [1, 2, 3].map(() => fleet.submit('default', 1));
    await fleet.settle(3000);
    // Of 8 at the end of the hour it needs 5: the two that are free now are not among them.
    expect(fleet.states(large, ...small)).toEqual(['queued', 'reserved', 'reserved', 'queued']);
    await fleet.close();
  });

  test('has no place kept where nothing says when others end', async () => {
    const { fleet, large } = await blocked({});
    const small = fleet.submit('default', 1);
    await fleet.settle(3000);
    expect(fleet.states(large, small)).toEqual(['queued', 'reserved']);
    await fleet.close();
  });

  test('waits for nothing where what should have ended long ago does not', async () => {
    const { fleet, large } = await blocked({ timeoutMs: 20_000 });
    const small = fleet.submit('default', 1);
    await fleet.settle(25_000);
    expect(fleet.states(large, small)).toEqual(['queued', 'queued']);
    await fleet.settle(200_000);
    expect(fleet.states(large, small)).toEqual(['queued', 'reserved']);
    await fleet.close();
  });

  test('leaves its place to others once something else makes room for it elsewhere', async () => {
    const fleet = await QueueFleet.open({});
    fleet.fixture.join('a', 4);
    fleet.fixture.join('b', 4);
    const kept = { priority: 1 };
    fleet.submit('default', 1, { timeoutMs: HOUR_MS, nodeSelector: { node: 'a' }, ...kept });
    const low = fleet.submit('default', 4, { nodeSelector: { node: 'b' } });
    await fleet.settle();
    fleet.runAll();
    const urgent = fleet.submit('default', 4, kept);
    await fleet.settle(100);
    const small = fleet.submit('default', 1, kept);
    for (let round = 0; round < 3; round += 1) {
      fleet.endStopped();
      await fleet.settle(3000);
      fleet.runAll();
    }
    expect(fleet.states(urgent, small)).toEqual(['running', 'running']);
    expect(fleet.states(low)).toEqual(['queued']);
    await fleet.close();
  });

  test('leaves its place to others once a GPU of that is out of use', async () => {
    const { fleet, running, large } = await blocked();
    const small = fleet.submit('default', 1);
    await fleet.settle(3000);
    expect(fleet.states(large, small)).toEqual(['queued', 'queued']);
    const { devices } = fleet.fixture.attemptOf(running);
    const fault: GpuFault = {
      ...{ key: 'xid-79@1', kind: 'xid', code: 79, action: 'drain-reboot', message: 'Xid 79.' },
    };
    const whole = inventory('a', 4);
    const broken = whole.gpus.find(({ id }) => !devices.includes(id));
    const gpus = whole.gpus.map((gpu) =>
      gpu === broken
        ? { ...gpu, health: { state: 'unhealthy' as const, reason: fault.message }, faults: [fault] }
        : gpu,
    );
    fleet.fleet.registry.changeInventory('node-a', { ...whole, gpus });
    await fleet.settle(1000);
    expect(fleet.states(large, small)).toEqual(['queued', 'reserved']);
    await fleet.close();
  });

  test('that goes away leaves its place at once', async () => {
    const { fleet, large } = await blocked();
    const small = fleet.submit('default', 1);
    await fleet.settle(3000);
    fleet.fleet.intake.stop(large, false);
    await fleet.settle(3000);
    expect(fleet.states(large, small)).toEqual(['cancelled', 'reserved']);
    await fleet.close();
  });
});
