// Shows that a kill -9 of gateway, agent, supervisor or workload in any state of work loses nothing and
// repeats nothing.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { HeldWork } from './support/held-work.ts';
import { processesOf } from './support/leftovers.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([{ name: 'node-1', args: ['--simulate-gpus', '1xH100'] }]);
});
afterAll(() => fleet[Symbol.asyncDispose]());

interface Work {
  readonly running: HeldWork;
  readonly stopping: HeldWork;
  readonly holder: HeldWork;
  readonly queued: HeldWork;
  readonly ending: HeldWork;
}

/** Work in every state that can be held: queued, running, with a GPU, stopping, and about to end. */
async function submitAll(prefix: string): Promise<Work> {
  const gpu = { spec: { resources: { gpus: 1 } } };
  const holder = await HeldWork.submit(fleet, `${prefix}-holder`, { exitCode: 3, ...gpu });
  const [running, stopping, ending] = await Promise.all([
    HeldWork.submit(fleet, `${prefix}-running`, { exitCode: 7 }),
    HeldWork.submit(fleet, `${prefix}-stopping`, {
      exitCode: 9,
      ignoresTerm: true,
      spec: { stopGraceMs: 3_600_000 },
    }),
    HeldWork.submit(fleet, `${prefix}-ending`, { exitCode: 5 }),
  ]);
  const queued = await HeldWork.submit(fleet, `${prefix}-queued`, { exitCode: 4, ...gpu });
  await Promise.all([holder, running, stopping, ending].map(async (work) => work.hasBegun()));
  await fleet.stop(stopping.id);
  await fleet.untilState(stopping.id, 'stopping');
  expect((await fleet.inspect(queued.id)).state).toBe('queued');
  return { running, stopping, holder, queued, ending };
}

async function expectNothingLost({ running, stopping, holder, queued, ending }: Work): Promise<void> {
  for (const [work, state] of [
    [running, 'running'],
    [holder, 'running'],
    [stopping, 'stopping'],
  ] as const)
    await fleet.untilState(work.id, state);
  expect((await fleet.inspect(queued.id)).waiting?.reason).toBe('waiting-for-capacity');
  for (const work of [running, stopping, holder, queued, ending]) await work.letGo();
  expect(await running.endsWhole()).toMatchObject({ state: 'failed' });
  expect(await stopping.endsWhole()).toMatchObject({ state: 'cancelled', endReason: 'stopped' });
  expect(await holder.endsWhole()).toMatchObject({ state: 'failed' });
  expect(await queued.endsWhole()).toMatchObject({ state: 'failed' });
  expect(await ending.endsWhole()).toMatchObject({ state: 'failed' });
  await fleet.untilAllFree();
}

it('of the gateway, with work ending while it is gone', async () => {
  const work = await submitAll('gateway');
  await fleet.gateway.kill();
  await work.ending.letGo();
  await until('its processes have ended', () => processesOf(['gateway-ending.starts']).length === 0);
  const backAtMs = Date.now();
  await fleet.restartGateway();
  await expectNothingLost(work);
  expect((await fleet.inspect(work.ending.id)).finishedAtMs).toBeLessThan(backAtMs);
});

it('of the agent, with work ending while it is gone', async () => {
  const work = await submitAll('agent');
  const supervisor = fleet.node.supervisorPid;
  await fleet.node.agent?.kill();
  await work.ending.letGo();
  await until('its processes have ended', () => processesOf(['agent-ending.starts']).length === 0);
  await fleet.node.restart();
  expect(fleet.node.supervisorPid).toBe(supervisor);
  await expectNothingLost(work);
});

it('of gateway and agent at once', async () => {
  const work = await submitAll('both');
  await Promise.all([fleet.gateway.kill(), fleet.node.agent?.kill()]);
  await work.ending.letGo();
  fleet.node.start();
  await fleet.restartGateway();
  await fleet.node.untilConnected();
  await expectNothingLost(work);
});

it('of the gateway, before agent and supervisor are stopped with an end that nobody has heard of', async () => {
  const work = await HeldWork.submit(fleet, 'unheard', { exitCode: 6 });
  await work.hasBegun();
  await fleet.gateway.kill();
  await work.letGo();
  await until('its processes have ended', () => processesOf(['unheard.starts']).length === 0);
  await until('its supervisor has noticed', async () => {
    await fleet.node.agent?.kill('SIGTERM');
    if (fleet.node.supervisorPid === undefined) return true;
    // One that is stopped while it starts has not asked its supervisor yet.
    await fleet.node.start().says(/The node runs/);
    return false;
  });
  fleet.node.start();
  await fleet.restartGateway();
  await fleet.node.untilConnected();
  expect(await work.endsWhole()).toMatchObject({ state: 'failed' });
  await fleet.untilAllFree();
});

it('of the supervisor: plain work ends with it and says so, what waits runs under the next one', async () => {
  const { running, stopping, holder, queued, ending } = await submitAll('supervisor');
  // What a supervisor has not read yet dies in its pipe.
  for (const { id } of [running, holder, ending])
    await until('its output is known', async () => {
      const { entries } = await fleet.client.command('workload.logs', { workload: id });
      return entries.some(({ data }) => data.includes('first'));
    });
  const before = await fleet.node.killSupervisor();
  for (const { id, name } of [running, holder, ending]) {
    const view = await fleet.end(id);
    expect(view).toMatchObject({ name, state: 'failed', endReason: 'supervisor-lost' });
    expect(view.message).toMatch(/supervisor died .* can be run again/);
    expect(await fleet.text(id)).toBe('first\n');
  }
  expect(await fleet.end(stopping.id)).toMatchObject({ state: 'cancelled' });
  await queued.letGo();
  await queued.endsWhole();
  for (const work of [running, stopping, holder, ending]) {
    const { name } = work;
    const [starts, processes] = [await work.starts(), processesOf([`${name}.starts`])];
    expect({ name, starts, processes }).toEqual({ name, starts: 1, processes: [] });
  }
  expect(fleet.node.supervisorPid).not.toBe(before);
  await fleet.untilAllFree();
});

it('of the first process of a workload, running or stopping', async () => {
  const { running, stopping, holder, queued, ending } = await submitAll('workload');
  for (const work of [running, stopping, holder]) process.kill(programOf(work.name), 'SIGKILL');
  expect(await fleet.end(running.id)).toMatchObject({ state: 'failed', signal: 'SIGKILL' });
  expect(await fleet.end(stopping.id)).toMatchObject({ state: 'cancelled', signal: 'SIGKILL' });
  expect(await fleet.end(holder.id)).toMatchObject({ state: 'failed', signal: 'SIGKILL' });
  expect(await fleet.text(running.id)).toBe('first\n');
  for (const work of [queued, ending]) await work.letGo();
  await Promise.all([queued, ending].map(async (work) => work.endsWhole()));
  await fleet.untilAllFree();
});

/** A shell with a script, but not the one of the sandbox that reports the end. */
const PROGRAM = /^[^\0]*\bsh\0-c\0(?!trap : )/;

/** The workload's own program: the outermost of its processes that is neither bubblewrap nor its reporter. */
function programOf(name: string): number {
  const pids = processesOf([`${name}.starts`]).map(({ pid }) => pid);
  const program = pids.find((pid) => PROGRAM.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));
  if (program === undefined) throw new Error(`${name} has no process`);
  return program;
}
