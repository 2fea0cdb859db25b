import { generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import { seededRandom, silentLogger, type Random } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  DEFAULT_GATEWAY_OPTIONS,
  openGateway,
  type CommandContext,
  type Gateway,
} from '@clawbernetes/gateway';
import { openNode, type NodeAgent, type Supervisor } from '@clawbernetes/node';
import { MemoryMembershipStore, virtualHardware, VirtualSupervisor } from '@clawbernetes/node/testing';
import type { CommandInput, CommandName, CommandOutput, NodeInventory } from '@clawbernetes/protocol';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { memoryDisk } from '@clawbernetes/telemetry';
import { createHash } from 'node:crypto';
import { ProcessClock } from './process-clock.ts';
import { VirtualNetwork, type VirtualLink } from './virtual-network.ts';

const GPUS_PER_NODE = 4;

/** A virtual machine: its supervisor and memory outlive its agent. */
export interface VirtualMachine {
  readonly name: string;
  readonly key: KeyPair;
  readonly supervisor: VirtualSupervisor;
  readonly memberships: MemoryMembershipStore;
  agent:
    | {
        readonly node: NodeAgent;
        readonly clock: ProcessClock;
        readonly attached: Supervisor;
        link: VirtualLink | undefined;
      }
    | undefined;
}

/**
 * One gateway and some agents – the production code of both – on a virtual clock, network and disk.
 * Everything that happens follows from the seed; the trace hash is over every frame that arrived and when.
 */
export class Simulation {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly disk: MemoryDisk;
  readonly network: VirtualNetwork;
  readonly machines: readonly VirtualMachine[];
  readonly #trace = createHash('sha256');
  readonly #gatewayKey: KeyPair;
  readonly #logDisk = memoryDisk();
  #gateway: { readonly gateway: Gateway; readonly clock: ProcessClock } | undefined;
  #requests = 0;
  frames = 0;

  private constructor(seed: number, nodes: number) {
    this.random = seededRandom(seed);
    this.disk = new MemoryDisk(this);
    this.#gatewayKey = generateKeyPair(this.random);
    const observe = (from: string, to: string, frame: Uint8Array): void => {
      this.frames += 1;
      this.#trace.update(`${this.clock.monotonicMs()} ${from} ${to} ${frame.length}\n`).update(frame);
    };
    this.network = new VirtualNetwork(
      { clock: this.clock, random: this.random, observe },
      { minDelayMs: 0.1, maxDelayMs: 20 },
    );
    this.machines = Array.from({ length: nodes }, (_, index) => ({
      name: `node-${index}`,
      key: generateKeyPair(this.random),
      supervisor: new VirtualSupervisor(this),
      memberships: new MemoryMembershipStore(),
      agent: undefined,
    }));
  }

  static async open(seed: number, nodes: number): Promise<Simulation> {
    const simulation = new Simulation(seed, nodes);
    await simulation.startGateway();
    for (const machine of simulation.machines) await simulation.#joinMachine(machine);
    return simulation;
  }

  get gateway(): Gateway | undefined {
    return this.#gateway?.gateway;
  }

  /** Hash of the trace so far. */
  traceHash(): string {
    return this.#trace.copy().digest('hex');
  }

  note(fact: string): void {
    this.#trace.update(`${this.clock.monotonicMs()} ${fact}\n`);
  }

  async execute<Name extends CommandName>(
    name: Name,
    input: CommandInput<Name>,
  ): Promise<CommandOutput<Name>> {
    const gateway = this.gateway;
    if (!gateway) throw new Error('the gateway is down');
    this.#requests += 1;
    const context: CommandContext = {
      principal: 'simulation',
      namespace: 'default',
      requestId: `rq-${this.#requests}`,
      signal: new AbortController().signal,
    };
    return (await gateway.execute(name, input, context)) as CommandOutput<Name>;
  }

  async startGateway(): Promise<void> {
    const clock = new ProcessClock(this.clock);
    const opening = openGateway(
      {
        clock,
        random: this.random,
        logger: silentLogger,
        key: this.#gatewayKey,
        openStore: (schema) => openMemoryStore({ clock }, this.disk, { schema }),
        storage: 'virtual disk',
        segments: this.#logDisk,
      },
      { ...DEFAULT_GATEWAY_OPTIONS, url: 'virtual', logFolder: '/logs' },
    );
    const gateway = await opening;
    this.#gateway = { gateway, clock };
    this.network.listener = (channel) => gateway.acceptNode(channel);
  }

  /** kill -9: whatever was not committed is gone. */
  crashGateway(): void {
    this.note('crash gateway');
    this.network.listener = undefined;
    this.#gateway?.clock.kill();
    this.#gateway = undefined;
    for (const link of [...this.network.links]) link.die(link.gatewayEnd);
    this.disk.crash();
  }

  async startAgent(machine: VirtualMachine, joinToken?: string): Promise<void> {
    const clock = new ProcessClock(this.clock);
    const attached = machine.supervisor.attach();
    const connected: { link: VirtualLink | undefined } = { link: undefined };
    const node = await openNode(
      {
        clock,
        random: this.random,
        logger: silentLogger,
        key: machine.key,
        connect: async () => {
          connected.link = await this.network.connect(machine.name);
          return connected.link.nodeEnd;
        },
        supervisor: attached,
        hardware: virtualHardware({ hostname: machine.name, gpus: gpusOf(machine.name) }),
        memberships: machine.memberships,
      },
      {
        name: machine.name,
        gatewayUrl: 'ws://gateway/node',
        agentVersion: 'sim',
        ...(joinToken ? { joinToken } : {}),
      },
    );
    machine.agent = {
      node,
      clock,
      attached,
      get link() {
        return connected.link;
      },
      set link(link) {
        connected.link = link;
      },
    };
  }

  /** kill -9 of the agent; its workloads go on. */
  async crashAgent(machine: VirtualMachine): Promise<void> {
    const { agent } = machine;
    if (!agent) return;
    this.note(`crash ${machine.name}`);
    machine.agent = undefined;
    agent.clock.kill();
    await agent.attached[Symbol.asyncDispose]();
    if (agent.link) agent.link.die(agent.link.nodeEnd);
  }

  async #joinMachine(machine: VirtualMachine): Promise<void> {
    const minting = this.execute('node.token', {});
    await this.clock.advance(100);
    await this.startAgent(machine, (await minting).token);
    await this.clock.advance(1000);
  }
}

function gpusOf(name: string): NodeInventory['gpus'] {
  return Array.from({ length: GPUS_PER_NODE }, (_, index) => ({
    id: `${name}-gpu-${index}`,
    index,
    vendor: 'nvidia',
    model: 'H100',
    memoryMib: 81_559,
    health: { state: 'healthy' },
    simulated: true,
  }));
}
