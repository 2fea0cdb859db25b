import { generateKeyPair, nodeIdOf, type KeyPair } from '@clawbernetes/identity';
import type { NodeInventory } from '@clawbernetes/protocol';
import { silentLogger, sleep, systemClock as clock, systemRandom as random } from '@clawbernetes/kernel';
import { openNode, type NodeAgent } from '../node.ts';
import { WebSocketChannel } from '../platform/web-socket-channel.ts';
import { connectSupervisor } from '../supervisor/socket-supervisor.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { MemoryMembershipStore } from './memory-membership-store.ts';
import { virtualHardware } from './virtual-hardware.ts';
import { VirtualSupervisor } from './virtual-supervisor.ts';

export interface AgentFarmOptions {
  /** `ws://…/node`. */
  readonly gatewayUrl: string;
  /** One agent for each. */
  readonly joinTokens: readonly string[];
  /** Real processes under one supervisor that all agents share, or none at all. */
  readonly supervisor:
    { readonly kind: 'virtual' } | { readonly kind: 'process'; readonly stateFolder: string };
  /** An engine for containers, beside processes. */
  readonly dockerSocket?: string;
  /** What each agent says that it has. */
  readonly cores: number;
}

export interface AgentFarm extends AsyncDisposable {
  /** Agents that the gateway has taken in. */
  registered(): number;
  /** Of virtual work: a workload for each attempt that has not ended. */
  liveWorkloads(): readonly string[];
}

const POLL_MS = 20;

/**
 * Many agents in one process, each with its own key, connection and reports: for measuring a gateway on one
 * machine. Their hardware is virtual; their work is real where they share a real supervisor.
 */
export async function openAgentFarm(options: AgentFarmOptions): Promise<AgentFarm> {
  await using stack = new AsyncDisposableStack();
  const agents: NodeAgent[] = [];
  const virtual: VirtualSupervisor[] = [];
  for (const [index, joinToken] of options.joinTokens.entries()) {
    const key = generateKeyPair(random);
    const supervisor = stack.use(await openSupervisor(options, nodeIdOf(key.publicKey), virtual));
    agents.push(stack.use(await openAgent(options, { name: `farm-${index}`, joinToken, key, supervisor })));
  }
  const registered = (): number => agents.filter((agent) => agent.phase === 'registered').length;
  while (registered() < agents.length) await sleep(clock, POLL_MS);
  const owned = stack.move();
  return {
    registered,
    liveWorkloads: () => virtual.flatMap((supervisor) => supervisor.liveWorkloads()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface FarmAgent {
  readonly name: string;
  readonly joinToken: string;
  readonly key: KeyPair;
  readonly supervisor: Supervisor;
}

function openAgent(
  options: AgentFarmOptions,
  { name, joinToken, key, supervisor }: FarmAgent,
): Promise<NodeAgent> {
  return openNode(
    {
      ...{ clock, random, logger: silentLogger, key, supervisor },
      connect: (url, io) => WebSocketChannel.open({ clock }, url, {}, io),
      hardware: virtualHardware({ hostname: name, cores: options.cores, executors: executorsOf(options) }),
      memberships: new MemoryMembershipStore(),
    },
    { name, gatewayUrl: options.gatewayUrl, agentVersion: 'farm', joinToken },
  );
}

function executorsOf({ supervisor, dockerSocket }: AgentFarmOptions): NodeInventory['executors'] {
  const sandbox = supervisor.kind === 'process' ? 'bubblewrap' : 'none';
  const process = { kind: 'process' as const, available: true, sandbox, limitations: [] };
  if (dockerSocket === undefined) return [process];
  return [process, { kind: 'container', available: true, sandbox: 'docker', limitations: [] }];
}

async function openSupervisor(
  { supervisor, dockerSocket }: AgentFarmOptions,
  owner: string,
  virtual: VirtualSupervisor[],
): Promise<Supervisor> {
  if (supervisor.kind === 'virtual') {
    const made = new VirtualSupervisor({ clock, random });
    virtual.push(made);
    return made.attach();
  }
  const { stateFolder } = supervisor;
  const container = dockerSocket === undefined ? {} : { socketPath: dockerSocket };
  const executors = { process: { policy: { allowUnsandboxed: true } }, container };
  return connectSupervisor(
    { clock, random, logger: silentLogger, environment: process.env },
    { stateFolder, version: 'farm', owner, executors },
  );
}
