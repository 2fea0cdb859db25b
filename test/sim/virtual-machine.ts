import { generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import { silentLogger } from '@clawbernetes/kernel';
import { openNode, type NodeAgent, type Supervisor } from '@clawbernetes/node';
import { MemoryMembershipStore, milliOf, scriptOf, VirtualSupervisor } from '@clawbernetes/node/testing';
import { MachineHardware } from './machine-hardware.ts';
import { ProcessClock } from './process-clock.ts';
import { SkewedClock } from './skewed-clock.ts';
import type { Simulation } from './simulation.ts';
import type { VirtualLink } from './virtual-network.ts';

/** Where an agent may die: around each change of what outlives it. */
export const AGENT_BOUNDARIES = ['launch', 'stop', 'forget'] as const;
export interface AgentCrash {
  readonly at: (typeof AGENT_BOUNDARIES)[number];
  readonly done: boolean;
}

interface RunningAgent {
  readonly node: NodeAgent;
  readonly clock: ProcessClock;
  readonly attached: Supervisor;
}

type World = Pick<Simulation, 'clock' | 'random' | 'network' | 'rows' | 'note' | 'violate'>;
type Launch = Parameters<Supervisor['launch']>[0];

/** A virtual machine: its hardware, supervisor and memory outlive its agent. */
export class VirtualMachine {
  readonly name: string;
  readonly hardware: MachineHardware;
  readonly supervisor: VirtualSupervisor;
  readonly clock: SkewedClock;
  /** While set, images cannot be pulled here. */
  pullsFail = false;
  /** Attempts whose image could not be pulled. */
  readonly notPulled = new Set<string>();
  link: VirtualLink | undefined;
  readonly #world: World;
  readonly #key: KeyPair;
  readonly #memberships = new MemoryMembershipStore();
  #agent: RunningAgent | undefined;
  #armed: (AgentCrash & { readonly onCrash: () => void }) | undefined;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#key = generateKeyPair(world.random);
    this.clock = new SkewedClock(world.clock);
    this.hardware = new MachineHardware(name);
    this.supervisor = new VirtualSupervisor(
      { clock: this.clock, random: world.random },
      { script: (launch) => this.#script(launch) },
    );
  }

  get isUp(): boolean {
    return this.#agent !== undefined;
  }

  async startAgent(joinToken?: string): Promise<void> {
    if (this.#agent) return;
    const { random, network } = this.#world;
    const clock = new ProcessClock(this.clock);
    const attached = this.#guarded(this.supervisor.attach());
    const node = await openNode(
      {
        clock,
        random,
        logger: silentLogger,
        key: this.#key,
        connect: async () => {
          this.link = await network.connect(this.name);
          return this.link.nodeEnd;
        },
        supervisor: attached,
        hardware: this.hardware,
        memberships: this.#memberships,
      },
      {
        name: this.name,
        gatewayUrl: 'ws://gateway/node',
        agentVersion: 'sim',
        ...(joinToken ? { joinToken } : {}),
      },
    );
    this.#agent = { node, clock, attached };
  }

  /** kill -9 of the agent; its workloads go on. */
  async crashAgent(): Promise<void> {
    const agent = this.#agent;
    if (!agent) return;
    this.#world.note(`crash ${this.name}`);
    this.#agent = undefined;
    agent.clock.kill();
    await agent.attached[Symbol.asyncDispose]();
    if (this.link) this.link.die(this.link.nodeEnd);
  }

  /** It dies right before or after its next request of this kind to its supervisor. */
  armCrash(crash: AgentCrash, onCrash: () => void): void {
    this.#armed = { ...crash, onCrash };
  }

  /** No longer. */
  disarm(): void {
    this.#armed = undefined;
  }

  #guarded(supervisor: Supervisor): Supervisor {
    return {
      ...supervisor,
      launch: (launch) => this.#around('launch', () => supervisor.launch(launch)),
      stop: (attemptId, options) => this.#around('stop', () => supervisor.stop(attemptId, options)),
      forget: (attemptIds) => {
        for (const id of attemptIds)
          if (!this.#world.rows.endIsDurable(id))
            this.#world.violate(`${this.name} forgot ${id}, whose end is not stored`);
        return this.#around('forget', () => supervisor.forget(attemptIds));
      },
    };
  }

  async #around<T>(at: AgentCrash['at'], work: () => Promise<T>): Promise<T> {
    const armed = this.#armed?.at === at ? this.#armed : undefined;
    if (!armed) return work();
    this.#armed = undefined;
    if (armed.done) await work();
    armed.onCrash();
    // The dead hear no answer.
    return new Promise(() => undefined);
  }

  #script(launch: Launch): ReturnType<typeof scriptOf> {
    const { rows, violate } = this.#world;
    if (!rows.isDurable('attempt', launch.attemptId))
      violate(`${launch.attemptId} was started before it was stored`);
    const inUse = this.supervisor.milliInUse();
    for (const device of launch.devices)
      if ((inUse.get(device) ?? 0) + milliOf(launch) > 1000)
        violate(`${launch.attemptId} begins on ${device} while others have it`);
    const { VIRTUAL_PULL_MS: pull, VIRTUAL_START_MS: start, VIRTUAL_STUBBORN: stubborn } = launch.spec.env;
    const run = {
      ...scriptOf(launch),
      ...(stubborn === undefined ? {} : { stubborn: true }),
      ...(start === undefined ? {} : { startMs: Number(start) }),
    };
    if (pull === undefined) return run;
    if (!this.pullsFail) return { ...run, prepareMs: Number(pull) };
    this.notPulled.add(launch.attemptId);
    return { ...run, prepareMs: Number(pull), failure: 'The image could not be pulled.' };
  }
}
