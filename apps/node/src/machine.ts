import path from 'node:path';
import { nodeIdOf } from '@clawbernetes/identity';
import { loadOrCreateKeyFile } from '@clawbernetes/identity/key-file';
import {
  errorMessage,
  systemClock as clock,
  systemRandom as random,
  withTimeout,
  type Logger,
} from '@clawbernetes/kernel';
import type { NodeConfig } from './config.ts';
import type { NodeHost } from './host.ts';
import { executorFacts } from './platform/executor-facts.ts';
import { FileMembershipStore } from './platform/file-membership-store.ts';
import { MachineHardware } from './platform/machine-hardware.ts';
import { takeNodeHome } from './platform/node-home.ts';
import { tlsOptions, WebSocketChannel } from './platform/web-socket-channel.ts';
import { outputLimits } from './supervisor/attempt-output.ts';
import { connectSupervisor, type SocketSupervisor } from './supervisor/socket-supervisor.ts';
import { VERSION } from './version.ts';

/** For an idle supervisor to end with its agent. */
const IDLE_END_MS = 5000;

export interface Machine extends AsyncDisposable {
  readonly host: NodeHost;
  readonly supervisor: SocketSupervisor;
}

/** The real machine as a node's host: its folder, its supervisor, its hardware and its network. */
export async function openMachine(config: NodeConfig, logger: Logger): Promise<Machine> {
  await using stack = new AsyncDisposableStack();
  stack.use(await takeNodeHome(clock, config.folder));
  const key = await loadOrCreateKeyFile(path.join(config.folder, 'node.key'), random);
  const supervisor = await startSupervisor(config, logger, nodeIdOf(key.publicKey));
  stack.defer(() => leaveSupervisor(supervisor, logger));
  const hardware = stack.use(await openHardware(config, supervisor));
  const tls = await tlsOptions(config.tls);
  const host: NodeHost = {
    ...{ clock, random, logger, key, supervisor, hardware },
    connect: (url, io) => WebSocketChannel.open({ clock }, url, tls, io),
    memberships: new FileMembershipStore(path.join(config.folder, 'membership.json')),
  };
  const kept = stack.move();
  return { host, supervisor, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function startSupervisor(config: NodeConfig, logger: Logger, owner: string): Promise<SocketSupervisor> {
  const { home, folder, workloads, dockerSocket, environment } = config;
  const { allowUnsandboxed, runAs, scratchFolder, logBytesPerSecond } = workloads;
  return connectSupervisor(
    { clock, random, logger, environment },
    {
      stateFolder: path.join(folder, 'supervisor'),
      version: VERSION,
      owner,
      ...(logBytesPerSecond !== undefined && { output: outputLimits(logBytesPerSecond) }),
      executors: {
        process: {
          policy: { allowUnsandboxed },
          hidden: [home],
          ...(runAs && { owner: runAs }),
          ...(scratchFolder !== undefined && { scratch: scratchFolder }),
        },
        container: {
          ...(dockerSocket !== undefined && { socketPath: dockerSocket }),
          ...(runAs && { user: `${runAs.uid}:${runAs.gid}` }),
        },
      },
    },
  );
}

/** It lives on with its work; without any it would wait for nobody: this agent stops, or gives up. */
async function leaveSupervisor(supervisor: SocketSupervisor, logger: Logger): Promise<void> {
  try {
    await withTimeout(clock, IDLE_END_MS, 'The supervisor did not answer.', supervisor.endIfIdle());
  } catch (error) {
    // Left alone, it ends by itself after a while.
    logger.debug('The supervisor could not be asked to end', { error: errorMessage(error) });
  }
  await supervisor[Symbol.asyncDispose]();
}

function openHardware(
  { folder, gpu, environment, dockerSocket, workloads }: NodeConfig,
  supervisor: SocketSupervisor,
): Promise<MachineHardware> {
  const { allowUnsandboxed, runAs } = workloads;
  const executors = () =>
    executorFacts(
      { clock, supervisor },
      {
        ...{ environment, allowUnsandboxed },
        ...(runAs && { owner: runAs }),
        ...(dockerSocket !== undefined && { socketPath: dockerSocket }),
      },
    );
  return MachineHardware.open(
    { clock, executors },
    { platform: process.platform, environment, diskPath: folder, gpu },
  );
}
