import { errorMessage, sleep, type Clock } from '@clawbernetes/kernel';
import type { Client } from '@clawbernetes/sdk';
import { count } from '../output/phrases.ts';
import type { Progress } from './progress.ts';

interface Work {
  readonly client: Client;
  /** Id of the node whose work is to end. */
  readonly node: string;
  /** Aborted when the user does not want to wait any longer. */
  readonly force: AbortSignal;
}

/** Covers the default stop grace of a workload. */
const POLITE_MS = 15_000;
const KILLED_WITHIN_MS = 3000;
const LOOK_EVERY_MS = 50;
const PAGE = 1000;

/**
 * Stops what runs on a node. Answers whether the node was drained here: one that the user had drained stays
 * so.
 */
export async function stopWork(clock: Clock, progress: Progress, work: Work): Promise<boolean> {
  const { client, node } = work;
  try {
    const before = await client.command('node.info', { node });
    await client.command('node.drain', { node, force: true });
    if (before.attempts > 0) {
      await progress.step(
        `Stopping ${count(before.attempts, 'workload')}`,
        () => nothingRuns(clock, work),
        (left) =>
          left === 0 ? 'All work has stopped' : `${count(left, 'workload')} left for the node to end`,
      );
    }
    return before.eligibility === 'schedulable';
  } catch (error) {
    progress.note(`The work could not be stopped in order: ${errorMessage(error)}`);
    return false;
  }
}

/** Waits for the last one, and kills what does not end by itself; answers how many are left even so. */
async function nothingRuns(clock: Clock, { client, node, force }: Work): Promise<number> {
  const left = await waitForNone(clock, { client, node, force }, POLITE_MS);
  if (left === 0) return 0;
  const { workloads } = await client.command('workload.list', {
    limit: PAGE,
    states: ['running', 'stopping', 'preempting'],
  });
  const here = workloads.filter(({ attempt }) => attempt?.nodeId === node);
  await Promise.all(here.map(({ id }) => client.command('workload.stop', { workload: id, force: true })));
  return waitForNone(clock, { client, node, force: new AbortController().signal }, KILLED_WITHIN_MS);
}

async function waitForNone(clock: Clock, { client, node, force }: Work, withinMs: number): Promise<number> {
  const endMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const { attempts } = await client.command('node.info', { node });
    if (attempts === 0 || clock.monotonicMs() > endMs || force.aborted) return attempts;
    await sleep(clock, LOOK_EVERY_MS, { signal: force }).catch(() => undefined);
  }
}
