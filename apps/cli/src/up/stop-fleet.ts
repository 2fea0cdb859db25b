import { errorMessage } from '@clawbernetes/kernel';
import type { NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import type { Child } from './child.ts';
import type { Progress } from './progress.ts';
import { stopWork } from './stop-work.ts';
import { endSupervisor } from './supervisor-end.ts';

export interface LocalFleetParts {
  readonly client: Client | undefined;
  readonly nodeView: NodeView | undefined;
  readonly node: Child | undefined;
  readonly gateway: Child | undefined;
  /** Aborted when the user does not want to wait any longer. */
  readonly force: AbortSignal;
}

const NODE_STOPS_WITHIN_MS = 20_000;
const GATEWAY_STOPS_WITHIN_MS = 10_000;

/**
 * Ends a local fleet in order. The node is drained first: its work is stopped as the user's wish, and nothing
 * that
 * waits is started meanwhile. It is undrained when its agent is gone, so that the next `up` finds it as it
 * was.
 */
export async function stopLocalFleet(
  context: Context,
  progress: Progress,
  parts: LocalFleetParts,
): Promise<void> {
  const { client, nodeView, node, gateway, force } = parts;
  const inOrder = client && nodeView && node?.isRunning && gateway?.isRunning;
  const drained = inOrder
    ? await stopWork(context.clock, progress, { client, node: nodeView.id, force })
    : false;
  if (node) {
    await progress.step(
      'Stopping the node',
      async () => {
        await node.stop(NODE_STOPS_WITHIN_MS, force);
        await endSupervisor(context.clock, context.config.home, force);
      },
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

async function undrain(progress: Progress, client: Client, { id, name }: NodeView): Promise<void> {
  try {
    await client.command('node.undrain', { node: id });
  } catch (error) {
    progress.note(`${name} stays drained (${errorMessage(error)}); later: clawbernetes node undrain ${name}`);
  }
}
