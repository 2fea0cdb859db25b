// Shows that jobs which come, run and end while gateway and agent are killed again and again each run exactly once.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 180_000 });
const SUBMITTERS = 3;
const JOBS_EACH = 40;
const ROUNDS = 8;

let fleet: RealFleet;
beforeAll(async () => {
  fleet = await RealFleet.open([{ name: 'node-1', args: ['--simulate-gpus', '4xH100'] }]);
});
afterAll(() => fleet[Symbol.asyncDispose]());

interface Job {
  readonly id: string;
  readonly exitCode: number;
  readonly number: string;
}

/** One after the other, so that submissions go on during the kills. */
async function submitJobs(submitter: number): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let index = 0; index < JOBS_EACH; index += 1) {
    const number = `${submitter}-${index}`;
    const exitCode = index % 7;
    const script = `echo ${number} >> starts; echo ${number}; sleep 0.${index % 4}; echo end >&2; exit ${exitCode}`;
    const { id } = await fleet.sh(script, { resources: { gpus: index % 3 === 0 ? 1 : 0, cpuMilli: 50 } });
    jobs.push({ id, exitCode, number });
  }
  return jobs;
}

async function starts(): Promise<string[]> {
  return (await fleet.file('starts')).split('\n').filter(Boolean);
}

const KILLS = [
  async () => fleet.restartGateway(),
  async () => fleet.node.restart(),
  async () => {
    await Promise.all([fleet.gateway.kill(), fleet.node.agent?.kill()]);
    fleet.node.start();
    await fleet.restartGateway();
    await fleet.node.untilConnected();
  },
];

it('no job is lost, none runs twice, every end and every byte is there', async () => {
  const submissions = Promise.all(Array.from({ length: SUBMITTERS }, async (_, index) => submitJobs(index)));
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = (await starts()).length;
    await until('more jobs have begun', async () => {
      const count = (await starts()).length;
      return count >= begun + 3 || count === SUBMITTERS * JOBS_EACH;
    });
    await KILLS[round % KILLS.length]?.();
  }
  const jobs = (await submissions).flat();
  for (const { id, exitCode, number } of jobs) {
    expect(await fleet.end(id), number).toMatchObject({
      exitCode,
      attempts: [{ number: 1, state: 'exited' }],
    });
    expect(await fleet.text(id)).toBe(`${number}\n`);
    expect(await fleet.text(id, 'stderr')).toBe('end\n');
  }
  expect((await starts()).toSorted()).toEqual(jobs.map(({ number }) => number).toSorted());
  const { workloads } = await fleet.client.command('workload.list', { limit: 1000 });
  expect(workloads).toHaveLength(jobs.length);
  await fleet.untilAllFree();
});
