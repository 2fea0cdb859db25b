// Shows that restarts of the gateway and upgrades of the agent disturb neither running work nor whoever
// follows it.
import type { LogEntry } from '@clawbernetes/sdk';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { HeldWork } from './support/held-work.ts';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';
import { upgradedNode } from './support/upgraded-node.ts';

vi.setConfig({ testTimeout: 120_000 });
const WORKLOADS = 20;

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open();
});
afterAll(() => fleet[Symbol.asyncDispose]());

/** Prints numbered lines until it is let go, and then how many these were. */
const counting = (name: string): string => `
echo started >> ${name}.starts
line=0
while [ ! -e counting.go ]; do line=$((line + 1)); echo "line $line of ${name}"; sleep 0.3; done
echo "total $line"
exit 6`;

interface Follower {
  readonly text: () => string;
  readonly done: Promise<void>;
}

function follow(id: string): Follower {
  const entries: LogEntry[] = [];
  const read = async (): Promise<void> => {
    for await (const entry of fleet.client.followLogs(id)) entries.push(entry);
  };
  const text = (): string =>
    Buffer.concat(entries.filter(({ stream }) => stream === 'stdout').map(({ bytes }) => bytes)).toString();
  return { text, done: read() };
}

function expectEveryLineOnce(text: string, name: string): void {
  const lines = text.split('\n');
  const total = Number(/^total (\d+)$/.exec(lines.at(-2) ?? '')?.[1]);
  const wanted = Array.from({ length: total }, (_, index) => `line ${index + 1} of ${name}`);
  expect(lines).toEqual([...wanted, `total ${total}`, '']);
}

it('of the gateway with 20 workloads running: none is restarted or lost, followers see every byte once', async () => {
  const names = Array.from({ length: WORKLOADS }, (_, index) => `counting-${index}`);
  const works = await Promise.all(
    names.map(async (name) => fleet.sh(counting(name), { name, resources: { cpuMilli: 50 } })),
  );
  await Promise.all(works.map(async ({ id }) => fleet.untilState(id, 'running')));
  const followers = works.slice(0, 4).map(({ id }) => follow(id));
  const before = (await fleet.inspect(works[0]?.id ?? '')).attempts;

  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL'] as const) {
    const seen = followers.map(({ text }) => text().length);
    await fleet.restartGateway(signal);
    await until('followers see new output', () =>
      followers.every(({ text }, at) => text().length > (seen[at] ?? 0)),
    );
    for (const { id } of works) expect((await fleet.inspect(id)).state).toBe('running');
  }
  await fleet.letGo('counting');

  for (const { id, name } of works) {
    expect(await fleet.end(id)).toMatchObject({ exitCode: 6, attempts: [{ number: 1, state: 'exited' }] });
    expect(await fleet.file(`${name}.starts`)).toBe('started\n');
    expectEveryLineOnce(await fleet.text(id), name);
  }
  await Promise.all(followers.map(async ({ done }) => done));
  for (const [at, { text }] of followers.entries()) expectEveryLineOnce(text(), names[at] ?? '');
  expect((await fleet.inspect(works[0]?.id ?? '')).attempts[0]?.id).toBe(before[0]?.id);
  await fleet.untilAllFree();
});

it('with another version of the agent: the supervisor stays while it has work, and the work is taken over', async () => {
  const work = await HeldWork.submit(fleet, 'upgraded', { exitCode: 11 });
  await work.hasBegun();
  const supervisor = fleet.node.supervisorPid;
  await fleet.node.restart(await upgradedNode(fleet.folder, '9.8.7'));
  expect((await fleet.node.info()).agentVersion).toBe('9.8.7');
  expect(fleet.node.supervisorPid).toBe(supervisor);
  await fleet.untilState(work.id, 'running');
  const { processes } = await fleet.client.command('workload.stats', { workload: work.id });
  expect(processes).toBeGreaterThan(0);
  await work.letGo();
  await work.endsWhole();
  // With nothing to lose, an agent that starts takes a supervisor of its own version.
  await fleet.node.restart(await upgradedNode(fleet.folder, '9.8.8'));
  expect(fleet.node.supervisorPid).not.toBe(supervisor);
});

it('of an agent that is older than its supervisor: that one serves it too', async () => {
  const supervisor = fleet.node.supervisorPid;
  await fleet.node.restart();
  expect(fleet.node.supervisorPid).toBe(supervisor);
  const { id } = await fleet.sh('echo served');
  expect(await fleet.end(id)).toMatchObject({ state: 'succeeded' });
});
