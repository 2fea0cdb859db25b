import { generateKeyPair } from '@clawbernetes/identity';
import { silentLogger, systemClock, systemRandom, type Logger } from '@clawbernetes/kernel';
import { openNode, type NodeAgent, type NodeOptions } from '../../src/node.ts';
import type { NodeHost } from '../../src/host.ts';
import { WebSocketChannel } from '../../src/platform/web-socket-channel.ts';
import { MemoryMembershipStore } from '../../src/testing/memory-membership-store.ts';
import { virtualHardware } from '../../src/testing/virtual-hardware.ts';
import { VirtualSupervisor, type VirtualSupervisorOptions } from '../../src/testing/virtual-supervisor.ts';

/** A machine on which an agent can be opened, closed and opened again, over real sockets. */
export interface Machine {
  readonly host: NodeHost;
  readonly supervisor: VirtualSupervisor;
  readonly memberships: MemoryMembershipStore;
  readonly lines: string[];
  open(gatewayUrl: string, options?: Partial<NodeOptions>): Promise<NodeAgent>;
}

export function machine(options: VirtualSupervisorOptions = {}): Machine {
  const supervisor = new VirtualSupervisor({ clock: systemClock, random: systemRandom }, options);
  const memberships = new MemoryMembershipStore();
  const lines: string[] = [];
  const key = generateKeyPair();
  const hostOf = (): NodeHost => ({
    clock: systemClock,
    random: systemRandom,
    logger: recordingLogger(lines),
    key,
    connect: (url, io) => WebSocketChannel.open({ clock: systemClock }, url, {}, io),
    supervisor: supervisor.attach(),
    hardware: virtualHardware(),
    memberships,
  });
  return {
    host: hostOf(),
    supervisor,
    memberships,
    lines,
    open: (gatewayUrl, more) =>
      openNode(hostOf(), {
        name: 'one',
        agentVersion: '0.0.0',
        gatewayUrl,
        reconnectIntervalMs: 500,
        ...more,
      }),
  };
}

function recordingLogger(lines: string[]): Logger {
  const line = (message: string, facts = {}): void => void lines.push(`${message} ${JSON.stringify(facts)}`);
  const logger: Logger = { ...silentLogger, info: line, warn: line, error: line, child: () => logger };
  return logger;
}
