import { CodedError, errorCode, formatDuration, sleep, type Clock } from '@clawbernetes/kernel';
import type { CommandOutput, NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import { cliError } from '../errors.ts';
import { readEndpoint } from '../find-gateway.ts';
import type { Child } from './child.ts';

const LOOK_EVERY_MS = 50;
const GATEWAY_DEADLINE_MS = 60_000;
const NODE_DEADLINE_MS = 90_000;

/** @throws CodedError `already-running` when the gateway of this home answers. */
export async function refuseSecondFleet(context: Context): Promise<void> {
  const endpoint = await readEndpoint(context.config);
  if (!endpoint) return;
  const status = await answerOf(await context.client());
  if (!status) return;
  const { programName } = context.config;
  const since = formatDuration(Math.max(0, context.clock.nowMs() - endpoint.startedAtMs));
  throw cliError(
    'already-running',
    `A fleet already runs here: ${endpoint.url} (pid ${endpoint.pid}, since ${since}).\n` +
      `  Use it:  ${programName} run -- echo hello\n` +
      `  See it:  ${programName} status\n` +
      `  Stop it: ${programName} down, or Ctrl-C where it runs\n` +
      '  A second one needs its own CLAWBERNETES_HOME and --port.',
  );
}

/** Waits until the gateway that `child` is answers. @throws CodedError `child-exited`, `not-ready`. */
export async function gatewayAnswers(context: Context, child: Child): Promise<Client> {
  return until(context.clock, GATEWAY_DEADLINE_MS, child, async () => {
    const endpoint = await readEndpoint(context.config);
    if (endpoint?.pid !== child.pid) return undefined;
    const client = await context.client();
    return (await answerOf(client)) && client;
  });
}

/** Waits until the node that `child` is has registered. */
export async function nodeRegistered(
  context: Context,
  { client, child, sinceMs }: { readonly client: Client; readonly child: Child; readonly sinceMs: number },
): Promise<NodeView> {
  return until(context.clock, NODE_DEADLINE_MS, child, async () => {
    const { nodes } = await client.command('node.list', {});
    const here = nodes.filter(({ hostname }) => hostname === context.config.hostname);
    const pending = here.find((node) => !node.approved && (node.lastSeenAtMs ?? 0) >= sinceMs);
    if (pending) return client.command('node.approve', { node: pending.id });
    return here.find(
      (node) => node.approved && node.connectivity === 'connected' && (node.lastSeenAtMs ?? 0) >= sinceMs,
    );
  });
}

async function answerOf(client: Client): Promise<CommandOutput<'fleet.status'> | undefined> {
  try {
    return await client.command('fleet.status', {});
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

/** Asks until there is an answer, the child is gone, or the time is up. */
async function until<T>(
  clock: Clock,
  deadlineMs: number,
  child: Child,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const endMs = clock.monotonicMs() + deadlineMs;
  while (clock.monotonicMs() < endMs) {
    if (!child.isRunning) throw await child.failure();
    const answer = await ask().catch((error: unknown) => {
      if (errorCode(error) === undefined) throw error;
      return undefined;
    });
    if (answer !== undefined) return answer;
    await sleep(clock, LOOK_EVERY_MS);
  }
  throw cliError(
    'not-ready',
    `${child.title} is not ready after ${formatDuration(deadlineMs)}. See its log: ${child.logFile}`,
  );
}
