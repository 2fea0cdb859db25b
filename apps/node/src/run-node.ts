import { errorMessage, sleep, type Clock, type Logger } from '@clawbernetes/kernel';
import { isTerminal } from '@clawbernetes/protocol';
import { isPlaintextBeyondLoopback, type NodeConfig } from './config.ts';
import type { NodeError } from './errors.ts';
import { openMachine, type Machine } from './machine.ts';
import { openNode, type NodeAgent } from './node.ts';
import { VERSION } from './version.ts';

/** For workloads to end when the node is told to take them with it. */
const STOP_GRACE_MS = 5000;
/** Beyond the grace, for the kill. */
const KILL_MS = 5000;
/** For the gateway to confirm what ended: it does so within moments, or is not there to do it. */
const CONFIRM_MS = 2000;
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
  if (config.workloads.runsAsRoot) {
    logger.warn('Workloads run as root; name another user with --run-as or run_as in [workloads]');
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
    const allEnded = () => agent.attempts().every(({ state }) => isTerminal(state));
    await waitFor(host.clock, STOP_GRACE_MS + KILL_MS, allEnded);
    await waitFor(
      host.clock,
      CONFIRM_MS,
      () => agent.phase !== 'registered' || agent.attempts().length === 0,
    );
    await agent[Symbol.asyncDispose]();
    await supervisor.shutdown({ graceMs: STOP_GRACE_MS });
  } catch (error) {
    logger.error('Not every workload could be stopped', { error: errorMessage(error) });
  }
}

async function waitFor(clock: Clock, limitMs: number, condition: () => boolean): Promise<void> {
  const deadlineMs = clock.monotonicMs() + limitMs;
  while (!condition() && clock.monotonicMs() < deadlineMs) await sleep(clock, POLL_MS);
}
