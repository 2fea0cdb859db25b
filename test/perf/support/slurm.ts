import { setTimeout as pause } from 'node:timers/promises';
import { SlurmCluster, slurmMissing } from './slurm-cluster.ts';
import { median } from './statistics.ts';

const ROUNDS = 3;
/** Between two looks; half of it is the mean error of a round that takes seconds. */
const LOOK_MS = 100;
/** Slower than five jobs a second is a Slurm that does not work here. */
const MS_PER_JOB = 200;
const SLACK_MS = 30_000;

/**
 * Jobs per second of a private Slurm: an array of `count` jobs that run `/bin/true`, from submission to the
 * last end; the median of some rounds after a warm-up. Undefined, with the reason logged, where it cannot be
 * measured, so that a peer's trouble does not cost the benchmark its own figures.
 */
export async function slurmJobsPerSecond(count: number, log = logToStderr): Promise<number | undefined> {
  const missing = slurmMissing();
  if (missing !== undefined) {
    log(`Slurm is not measured: ${missing}`);
    return undefined;
  }
  try {
    return await measure(count, log);
  } catch (error) {
    log(`Slurm is not measured: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function measure(count: number, log: (line: string) => void): Promise<number> {
  await using cluster = await SlurmCluster.open();
  await runArray(cluster, Math.ceil(count / 4));
  const perSecond: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    perSecond.push(await runArray(cluster, count));
    log(`${Math.round(perSecond.at(-1) ?? 0)} jobs/s by Slurm`);
  }
  return median(perSecond);
}

/** A job that does not succeed, or an array that does not end, ends the measurement. */
async function runArray(cluster: SlurmCluster, count: number): Promise<number> {
  const before = await cluster.endedJobs();
  const startMs = performance.now();
  const arrayId = await cluster.submitArray('/bin/true', count);
  for (let ended = 0; ended < count; ended = (await cluster.endedJobs()) - before) {
    if (performance.now() - startMs > count * MS_PER_JOB + SLACK_MS) {
      throw new Error(`${ended} of ${count} jobs had ended when time was up`);
    }
    await pause(LOOK_MS);
  }
  const perSecond = (count * 1000) / (performance.now() - startMs);
  const failures = await cluster.failures(arrayId);
  if (failures.length > 0) throw new Error(`${failures.length} jobs did not succeed: ${failures[0]}`);
  return perSecond;
}

function logToStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}
