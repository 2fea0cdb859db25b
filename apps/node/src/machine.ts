import path from 'node:path';
import { loadOrCreateKeyFile, nodeIdOf } from '@clawbernetes/identity';
import { systemClock as clock, systemRandom as random, type Logger } from '@clawbernetes/kernel';
import type { NodeConfig } from './config.ts';
import type { NodeHost } from './host.ts';
import { executorFacts } from './platform/executor-facts.ts';
import { FileMembershipStore } from './platform/file-membership-store.ts';
import { MachineHardware } from './platform/machine-hardware.ts';
import { takeNodeHome } from './platform/node-home.ts';
import { tlsOptions, WebSocketChannel } from './platform/web-socket-channel.ts';
import { connectSupervisor, type SocketSupervisor } from './supervisor/socket-supervisor.ts';
import { VERSION } from './version.ts';

export interface Machine extends AsyncDisposable {
  readonly host: NodeHost;
  readonly supervisor: SocketSupervisor;
}

/** The real machine as a node's host: its folder, its supervisor, its hardware and its network. */
export async function openMachine(config: NodeConfig, logger: Logger): Promise<Machine> {
  await using stack = new AsyncDisposableStack();
  stack.use(await takeNodeHome(clock, config.folder));
  const key = await loadOrCreateKeyFile(path.join(config.folder, 'node.key'), random);
  const supervisor = stack.use(await startSupervisor(config, logger, nodeIdOf(key.publicKey)));
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
  const { home, folder, allowUnsandboxed, dockerSocket, environment } = config;
  return connectSupervisor(
    { clock, random, logger, environment },
    {
      stateFolder: path.join(folder, 'supervisor'),
      version: VERSION,
      owner,
      executors: {
        process: { policy: { allowUnsandboxed }, hidden: [home] },
        container: dockerSocket === undefined ? {} : { socketPath: dockerSocket },
      },
    },
  );
}

function openHardware(
  { folder, gpu, environment, dockerSocket, allowUnsandboxed }: NodeConfig,
  supervisor: SocketSupervisor,
): Promise<MachineHardware> {
  const socket = dockerSocket === undefined ? {} : { socketPath: dockerSocket };
  const executors = () => executorFacts({ clock, supervisor }, { environment, allowUnsandboxed, ...socket });
  return MachineHardware.open(
    { clock, executors },
    { platform: process.platform, environment, diskPath: folder, gpu },
  );
}
