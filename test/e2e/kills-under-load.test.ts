// Shows that jobs which come, run and end while gateway and agent are killed again and again each run exactly
// once.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';
import { until } from './support/until.ts';

vi.setConfig({ testTimeout: 180_000 });
const SUBMITTERS = 3;
const JOBS_EACH = 25;
const ROUNDS = 6;
const JOBS_PER_ROUND = 6;

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

async function submitJob(number: string, index: number, file: string): Promise<Job> {
  const exitCode = index % 7;
  const script = `echo ${number} >> ${file}; echo ${number}; sleep 0.${index % 4}; echo end >&2; exit ${exitCode}`;
  const resources = { gpus: index % 3 === 0 ? 1 : 0, cpuMilli: 50 };
  const { id } = await fleet.sh(script, { name: `job-${number}`, resources });
  return { id, exitCode, number };
}

/** One after the other, so that submissions go on during the kills. */
async function submitJobs(submitter: number): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let index = 0; index < JOBS_EACH; index += 1)
    jobs.push(await submitJob(`${submitter}-${index}`, index, 'starts'));
  return jobs;
}

async function starts(file: string): Promise<string[]> {
  return (await fleet.file(file)).split('\n').filter(Boolean);
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
    const begun = (await starts('starts')).length;
    await until('more jobs have begun', async () => {
      const count = (await starts('starts')).length;
      return count >= begun + 3 || count === SUBMITTERS * JOBS_EACH;
    });
    await KILLS[round % KILLS.length]?.();
  }
  const jobs = (await submissions).flat();
  for (const { id, exitCode, number } of jobs) {
    expect(await fleet.end(id)).toMatchObject({
      name: `job-${number}`,
      exitCode,
      attempts: [{ number: 1, state: 'exited' }],
    });
    expect(await fleet.text(id)).toBe(`${number}\n`);
    expect(await fleet.text(id, 'stderr')).toBe('end\n');
  }
  expect((await starts('starts')).toSorted()).toEqual(jobs.map(({ number }) => number).toSorted());
  const { workloads } = await fleet.client.command('workload.list', { limit: 1000 });
  expect(workloads).toHaveLength(jobs.length);
  await fleet.untilAllFree();
});

it('with kills of the supervisor too: what ended with it says so, and still nothing runs twice or stays', async () => {
  const file = 'starts-with-supervisor';
  const jobs: Job[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const submitted = Array.from({ length: JOBS_PER_ROUND }, async (_, index) =>
      submitJob(`${round}.${index}`, index, file),
    );
    // In every other round while jobs are on their way to it, else once the first of them has begun.
    if (round % 2 === 0) await Promise.any(submitted);
    else
      await until('a job has begun', async () =>
        (await starts(file)).some((each) => each.startsWith(`${round}.`)),
      );
    await fleet.node.killSupervisor();
    if (round % 3 === 2) await fleet.node.restart();
    jobs.push(...(await Promise.all(submitted)));
    await until('another supervisor serves', () => fleet.node.supervisorPid !== undefined);
  }
  for (const { id } of jobs) await fleet.end(id);
  const begun = new Set(await starts(file));
  expect(begun.size).toBe((await starts(file)).length);
  for (const { id, exitCode, number } of jobs) {
    const view = await fleet.end(id);
    expect(view.attempts).toHaveLength(1);
    if (view.endReason === undefined) {
      expect(view).toMatchObject({ name: `job-${number}`, exitCode });
      expect(await fleet.text(id)).toBe(`${number}\n`);
      expect(begun.has(number)).toBe(true);
    } else
      expect(view).toMatchObject({ name: `job-${number}`, state: 'failed', endReason: 'supervisor-lost' });
  }
  await fleet.untilAllFree();
});
