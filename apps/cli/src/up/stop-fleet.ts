import { sleep, errorMessage, type Clock } from '@clawbernetes/kernel';
import type { NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import { count } from '../output/phrases.ts';
import type { Child } from './child.ts';
import type { Progress } from './progress.ts';

export interface LocalFleetParts {
  readonly client: Client | undefined;
  readonly nodeView: NodeView | undefined;
  readonly node: Child | undefined;
  readonly gateway: Child | undefined;
  /** Aborted when the user does not want to wait any longer. */
  readonly force: AbortSignal;
}

/** Covers the default stop grace of a workload. */
const WORK_STOPS_WITHIN_MS = 15_000;
const NODE_STOPS_WITHIN_MS = 20_000;
const GATEWAY_STOPS_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Ends a local fleet in order. The node is drained first: its work is stopped as the user's wish, and nothing that
 * waits is started meanwhile. It is undrained when its agent is gone, so that the next `up` finds it as it was.
 */
export async function stopLocalFleet(
  context: Context,
  progress: Progress,
  parts: LocalFleetParts,
): Promise<void> {
  const { client, nodeView, node, gateway, force } = parts;
  const drainable = client && nodeView && node?.isRunning && gateway?.isRunning;
  const drained = drainable ? await stopWork(context, progress, client, nodeView, force) : false;
  if (node?.isRunning) {
    await progress.step(
      'Stopping the node',
      () => node.stop(NODE_STOPS_WITHIN_MS, force),
      () => 'The node has stopped',
    );
  }
  if (drained && client && nodeView && gateway?.isRunning) await undrain(progress, client, nodeView);
  if (gateway?.isRunning) {
    await progress.step(
      'Stopping the gateway',
      () => gateway.stop(GATEWAY_STOPS_WITHIN_MS, force),
      () => 'The gateway has stopped',
    );
  }
}

/** Answers whether the node was drained here: one that the user had drained stays so. */
async function stopWork(
  { clock }: Context,
  progress: Progress,
  client: Client,
  { id }: NodeView,
  force: AbortSignal,
): Promise<boolean> {
  try {
    const before = await client.command('node.info', { node: id }, { signal: force });
    const draining = client.command('node.drain', { node: id, force: true }, { signal: force });
    if (before.attempts > 0) {
      await progress.step(
        `Stopping ${count(before.attempts, 'workload')}`,
        async () => nothingRuns(clock, client, id, (await draining).attempts, force),
        (left) =>
          left === 0 ? 'All work has stopped' : `${count(left, 'workload')} did not stop; the node ends them`,
      );
    } else {
      await draining;
    }
    return before.eligibility === 'schedulable';
  } catch (error) {
    progress.note(`The work could not be stopped in order: ${errorMessage(error)}`);
    return false;
  }
}

/** Waits for the last attempt; answers how many are left when the time is up. */
async function nothingRuns(
  clock: Clock,
  client: Client,
  node: string,
  present: number,
  force: AbortSignal,
): Promise<number> {
  const endMs = clock.monotonicMs() + WORK_STOPS_WITHIN_MS;
  let left = present;
  while (left > 0 && clock.monotonicMs() < endMs) {
    await sleep(clock, LOOK_EVERY_MS, { signal: force });
    left = (await client.command('node.info', { node }, { signal: force })).attempts;
  }
  return left;
}

async function undrain(progress: Progress, client: Client, { id, name }: NodeView): Promise<void> {
  try {
    await client.command('node.undrain', { node: id });
  } catch (error) {
    progress.note(`${name} stays drained (${errorMessage(error)}); later: clawbernetes node undrain ${name}`);
  }
}
