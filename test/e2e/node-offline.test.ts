// Shows that a node which is silent for longer than its lease keeps its work, and that nothing of it is lost
// on its return.
import { expect, it, vi } from 'vitest';
import { HeldWork } from './support/held-work.ts';
import { processesOf } from './support/leftovers.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });
/** Lease 30 s, looked at every second; twice that before it counts as broken. */
const LEASE_DEADLINE_MS = 60_000;

// Both wait for a lease to run out, so they do it at the same time.
it.concurrent(
  'a silent node is suspect, then disconnected; its work goes on, and its true end arrives later',
  async () => {
    await using fleet = await RealFleet.open([{ name: 'node-1', args: ['--simulate-gpus', '2xH100'] }]);
    const gpu = { resources: { gpus: 1 } };
    const staying = await HeldWork.submit(fleet, 'silent-staying', { exitCode: 8, spec: gpu });
    const ending = await HeldWork.submit(fleet, 'silent-ending', { exitCode: 9, spec: gpu });
    for (const work of [staying, ending]) {
      await work.hasBegun();
      await fleet.untilState(work.id, 'running');
    }
    fleet.node.agent?.signal('SIGSTOP');
    await ending.letGo();
    await until('its processes have ended', () => processesOf(['silent-ending.starts']).length === 0);
    const endedAtMs = Date.now();

    const seen = new Set<string>();
    await until(
      () => `the node is disconnected; it was ${[...seen].join()}`,
      async () => {
        const { connectivity } = await fleet.node.info();
        seen.add(connectivity);
        return connectivity === 'disconnected';
      },
      LEASE_DEADLINE_MS,
    );
    expect([...seen]).toEqual(['connected', 'suspect', 'disconnected']);
    for (const { id } of [staying, ending]) {
      const view = await fleet.inspect(id);
      expect(view.state).toBe('running');
      expect(view.attempt?.unknownSinceMs).toBeGreaterThan(endedAtMs);
    }
    const { unknownSinceMs = 0 } = (await fleet.inspect(ending.id)).attempt ?? {};
    expect((await fleet.node.info()).gpus.map(({ state }) => state)).toEqual(['in-use', 'in-use']);
    // What is asked of an unreachable node is answered, not waited for.
    await expect(fleet.client.command('workload.stats', { workload: staying.id })).rejects.toMatchObject({
      code: 'node-unreachable',
    });
    const queued = await fleet.sh('echo ran', { name: 'queued-meanwhile', ...gpu });
    expect((await fleet.inspect(queued.id)).state).toBe('queued');
    const backAtMs = Date.now();
    fleet.node.agent?.signal('SIGCONT');

    const view = await ending.endsWhole();
    expect(view.finishedAtMs).toBeLessThan(unknownSinceMs);
    expect(view.attempt?.unknownSinceMs).toBeUndefined();
    expect(await fleet.end(queued.id)).toMatchObject({ state: 'succeeded' });
    expect((await fleet.untilState(staying.id, 'running')).attempt?.unknownSinceMs).toBeUndefined();
    expect((await fleet.node.info()).connectivity).toBe('connected');
    await staying.letGo();
    expect((await staying.endsWhole()).finishedAtMs).toBeGreaterThan(backAtMs);
    await fleet.untilAllFree();
  },
);

it.concurrent(
  'a silent gateway is left by its node, which keeps its work and reports it when there is an answer',
  async () => {
    await using fleet = await RealFleet.open();
    const staying = await HeldWork.submit(fleet, 'paused-staying', { exitCode: 8 });
    const ending = await HeldWork.submit(fleet, 'paused-ending', { exitCode: 9 });
    for (const work of [staying, ending]) {
      await work.hasBegun();
      await fleet.untilState(work.id, 'running');
    }
    fleet.gateway.signal('SIGSTOP');
    await ending.letGo();
    await until('its processes have ended', () => processesOf(['paused-ending.starts']).length === 0);
    const endedAtMs = Date.now();
    await until(
      'the node gives the connection up',
      () => /stopped answering heartbeats/.test(fleet.node.agent?.stderr ?? ''),
      LEASE_DEADLINE_MS,
    );
    const backAtMs = Date.now();
    expect(backAtMs).toBeGreaterThan(endedAtMs);
    fleet.gateway.signal('SIGCONT');
    expect((await ending.endsWhole()).finishedAtMs).toBeLessThan(backAtMs);
    await fleet.untilState(staying.id, 'running');
    await staying.letGo();
    await staying.endsWhole();
    await fleet.node.untilConnected();
    await fleet.untilAllFree();
  },
);
