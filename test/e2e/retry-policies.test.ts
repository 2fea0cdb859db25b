// Shows with real processes that work which may not run without contact ends by itself though its agent and
// its gateway are dead, and is replaced exactly once; and that a restart outlives a kill -9 of the gateway.
import { describe, expect, it, vi } from 'vitest';
import { processesOf } from './support/leftovers.ts';
import { HeldWork } from './support/held-work.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 240_000 });

/** The shortest that a fleet takes, see `refuseHasty`. */
const AFTER_MS = 30_000;
/** A lease of the former gateway, (30 s + 1 s) × 1.1, 10 s for a kill; and some for this machine. */
const FENCE_DEADLINE_MS = 120_000;

describe.concurrent('policies', () => {
  it('work that stops without contact does so alone, and is replaced exactly once', async () => {
    await using fleet = await RealFleet.open([{ name: 'node-1' }]);
    const work = await HeldWork.submit(fleet, 'contact', {
      spec: {
        exclusive: true,
        onDisconnect: { action: 'stop', afterMs: AFTER_MS },
        replace: { attempts: 2, delayMs: 0 },
        stopGraceMs: 1000,
      },
    });
    await work.hasBegun();
    await fleet.untilState(work.id, 'running');
    await fleet.addNode({ name: 'node-2' });
    await fleet.node.agent?.kill('SIGKILL');
    await fleet.gateway.kill('SIGKILL');
    const deadAtMs = performance.now();
    const alive = (): boolean => processesOf(['contact.starts']).length > 0;
    expect(alive()).toBe(true);
    await until('it has ended by itself', () => !alive(), 2 * AFTER_MS);
    // Its last contact was up to a heartbeat before.
    expect(performance.now() - deadAtMs).toBeGreaterThan(AFTER_MS - 15_000);
    expect(await work.starts()).toBe(1);

    await fleet.restartGateway();
    await until('another has begun', async () => (await work.starts()) === 2, FENCE_DEADLINE_MS);
    const view = await fleet.untilState(work.id, 'running');
    expect(view.attempts).toMatchObject([
      { nodeName: 'node-1', state: 'lost', fenced: true },
      { nodeName: 'node-2', state: 'running' },
    ]);
    expect(view.budgets).toEqual({ replace: { attempts: 2, spent: 1 } });
    fleet.node.start();
    await fleet.node.untilConnected();
    await work.letGo();
    expect(await fleet.end(work.id)).toMatchObject({ state: 'succeeded', attempt: { number: 2 } });
    expect(await work.starts()).toBe(2);
    await fleet.untilAllFree();
  });

  it('a restart that waits for its delay goes on after a kill -9 of the gateway, and spends no more', async () => {
    await using fleet = await RealFleet.open();
    const { id } = await fleet.sh('echo started >> restart.starts; echo said; exit 3', {
      name: 'restart',
      restart: { attempts: 2, delayMs: 4000, maxDelayMs: 4000 },
    });
    const following = fleet.log(id);
    await until('it waits for its delay', async () => {
      const { waiting } = await fleet.inspect(id);
      return waiting?.reason === 'delayed';
    });
    const waiting = await fleet.inspect(id);
    expect(waiting).toMatchObject({
      state: 'queued',
      beginsAnew: { policy: 'restart', formerNode: 'node-1' },
    });
    expect(waiting.waiting?.message).toMatch(/^It begins anew on node-1 in .*s \(restart 1 of 2\)\.$/);
    await fleet.restartGateway();
    const end = await fleet.end(id);
    expect(end).toMatchObject({
      state: 'failed',
      exitCode: 3,
      budgets: { restart: { attempts: 2, spent: 2 } },
    });
    expect(end.attempts.map(({ nodeName }) => nodeName)).toEqual(['node-1', 'node-1', 'node-1']);
    const [first, second] = end.attempts;
    expect((second?.placedAtMs ?? 0) - (first?.finishedAtMs ?? 0)).toBeGreaterThanOrEqual(3900);
    expect(await fleet.file('restart.starts')).toBe('started\nstarted\nstarted\n');
    const said = (await following).map(({ bytes }) => Buffer.from(bytes).toString());
    expect(said).toEqual(['said\n', 'attempt 2 begins\n', 'said\n', 'attempt 3 begins\n', 'said\n']);
    await fleet.untilAllFree();
  });
});
