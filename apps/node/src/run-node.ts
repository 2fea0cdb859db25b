import { errorMessage, sleep, type Logger } from '@clawbernetes/kernel';
import { isTerminal } from '@clawbernetes/protocol';
import { isPlaintextBeyondLoopback, type NodeConfig } from './config.ts';
import type { NodeError } from './errors.ts';
import { openMachine, type Machine } from './machine.ts';
import { openNode, type NodeAgent } from './node.ts';
import { VERSION } from './version.ts';

/** For workloads to end when the node is told to take them with it. */
const STOP_GRACE_MS = 5000;
/** Beyond the grace: for the kill, and for the gateway to confirm what ended. */
const STOP_DEADLINE_MS = STOP_GRACE_MS + 5000;
const POLL_MS = 20;

/** Runs this machine's node until `signal` aborts or it gives up; answers why it did. */
export async function runNode(
  config: NodeConfig,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<NodeError | undefined> {
  if (isPlaintextBeyondLoopback(config.node.gatewayUrl)) {
    logger.warn('The connection to the gateway is not encrypted; use wss:// beyond this machine', {
      gateway: config.node.gatewayUrl,
    });
  }
  await using machine = await openMachine(config, logger);
  await using agent = await openNode(machine.host, { ...config.node, agentVersion: VERSION });
  logger.info('The node runs', {
    name: config.node.name,
    nodeId: agent.nodeId,
    attempts: agent.attempts().length,
  });
  const stopped = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => stopped.resolve(undefined), { once: true });
  if (signal.aborted) stopped.resolve(undefined);
  const reason = await Promise.race([agent.ended, stopped.promise]);
  if (config.stopWorkloadsOnExit) await stopEverything(agent, machine, logger);
  return reason;
}

async function stopEverything(
  agent: NodeAgent,
  { host, supervisor }: Machine,
  logger: Logger,
): Promise<void> {
  try {
    await agent.stopWorkloads(STOP_GRACE_MS);
    const deadlineMs = host.clock.monotonicMs() + STOP_DEADLINE_MS;
    // A gateway that is there confirms the ends within moments; one that is gone will hear of them never or later.
    while (isWaiting(agent) && host.clock.monotonicMs() < deadlineMs) await sleep(host.clock, POLL_MS);
    await agent[Symbol.asyncDispose]();
    await supervisor.shutdown({ graceMs: STOP_GRACE_MS });
  } catch (error) {
    logger.error('Not every workload could be stopped', { error: errorMessage(error) });
  }
}

function isWaiting(agent: NodeAgent): boolean {
  const attempts = agent.attempts();
  return agent.phase === 'registered'
    ? attempts.length > 0
    : attempts.some(({ state }) => !isTerminal(state));
}
