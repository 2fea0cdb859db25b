import { generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import {
  errorCode,
  errorMessage,
  seededRandom,
  silentLogger,
  type Logger,
  type Random,
} from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  DEFAULT_GATEWAY_OPTIONS,
  openGateway,
  type CommandContext,
  type Gateway,
  type GatewayOptions,
} from '@clawbernetes/gateway';
import type { CommandInput, CommandName, CommandOutput } from '@clawbernetes/protocol';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { memoryDisk } from '@clawbernetes/telemetry';
import { createHash } from 'node:crypto';
import { isSignOfLife } from './frame-kind.ts';
import { ProcessClock } from './process-clock.ts';
import { RowModel } from './row-model.ts';
import { StoreGate, type Boundary } from './store-gate.ts';
import { Trail } from './trail.ts';
import { Transitions } from './transitions.ts';
import { VirtualMachine } from './virtual-machine.ts';
import { VirtualNetwork } from './virtual-network.ts';

/** Short, so that a broken GPU is seen to come back within a run, ms. */
const PROBATION_MS = 60_000;
/** A gateway that failed or was refused by its disk is started again after this long, ms. */
const RESTART_MS = 1000;
const MAX_VIOLATIONS = 100;

const OPTIONS: GatewayOptions = {
  ...DEFAULT_GATEWAY_OPTIONS,
  url: 'virtual',
  logFolder: '/logs',
  fleet: {
    ...DEFAULT_GATEWAY_OPTIONS.fleet,
    gpus: { ...DEFAULT_GATEWAY_OPTIONS.fleet.gpus, probationMs: PROBATION_MS },
  },
};

/**
 * One gateway and some agents – the production code of both – on a virtual clock, network and disk.
 * Everything that happens follows from the seed; the trace hash is over every frame that arrived and when.
 */
export class Simulation {
  readonly clock = new VirtualClock();
  /** Of the gateway, the agents, the network and the disk. */
  readonly random: Random;
  readonly disk: MemoryDisk;
  readonly network: VirtualNetwork;
  readonly machines: readonly VirtualMachine[];
  readonly transitions = new Transitions();
  readonly rows: RowModel;
  readonly store: StoreGate;
  readonly violations: string[] = [];
  readonly trail = new Trail();
  /** What led to the first violation. */
  story: readonly string[] = [];
  /** When each machine was last heard of by a gateway, monotonic ms. */
  readonly heardAtMs = new Map<string, number>();
  readonly #trace = createHash('sha256');
  readonly #gatewayKey: KeyPair;
  readonly #logDisk = memoryDisk();
  #gateway: { readonly gateway: Gateway; readonly clock: ProcessClock; readonly sinceMs: number } | undefined;
  #armedDownMs = RESTART_MS;
  #requests = 0;
  /** When something was asked for last, monotonic ms. */
  #askedAtMs = -1;
  #changes = 0;
  frames = 0;

  private constructor(seed: number, nodes: number) {
    this.random = seededRandom(seed);
    this.disk = new MemoryDisk(this);
    this.#gatewayKey = generateKeyPair(this.random);
    this.rows = new RowModel(this);
    this.store = new StoreGate(this.rows, () => this.crashGateway(this.#armedDownMs));
    const observe = (from: string, to: string, frame: Uint8Array): void => {
      this.frames += 1;
      if (!isSignOfLife(frame, { fromGateway: from === 'gateway' })) this.#changes += 1;
      if (from !== 'gateway') this.heardAtMs.set(from, this.clock.monotonicMs());
      this.#trace.update(`${this.clock.monotonicMs()} ${from} ${to} ${frame.length}\n`).update(frame);
    };
    this.network = new VirtualNetwork(
      {
        clock: this.clock,
        random: this.random,
        observe,
        onRegistered: (name) => {
          // Its silence counts from then: it could say nothing until it was let in.
          this.heardAtMs.set(name, this.clock.monotonicMs());
          this.rows.registered(name);
        },
        onSpokeAfterClose: (name) =>
          this.violate(`the gateway answers ${name} over a connection it has closed`),
        onUnanswered: (name) =>
          this.violate(`${name} waited in vain for answers over a connection on which all arrives`),
      },
      { minDelayMs: 0.1, maxDelayMs: 20 },
    );
    this.machines = Array.from({ length: nodes }, (_, index) => new VirtualMachine(this, `node-${index}`));
  }

  /** The last two machines wait for a person's approval, the others bring a token that has it. */
  static async open(seed: number, nodes: number): Promise<Simulation> {
    const simulation = new Simulation(seed, nodes);
    await simulation.startGateway();
    for (const machine of simulation.machines) await simulation.#joinMachine(machine);
    return simulation;
  }

  readonly violate = (what: string): void => {
    if (this.violations.length === 0) this.story = this.trail.about(what);
    if (this.violations.length < MAX_VIOLATIONS)
      this.violations.push(`${Math.round(this.clock.monotonicMs())} ms: ${what}`);
  };

  get gateway(): Gateway | undefined {
    return this.#gateway?.gateway;
  }

  /** Since when the present gateway serves, monotonic ms. */
  get gatewaySinceMs(): number {
    return this.#gateway?.sinceMs ?? Infinity;
  }

  /** Whether a process is down, or a machine reaches nobody. */
  get isDamaged(): boolean {
    return !this.gateway || !this.network.isWhole || this.machines.some(({ isUp }) => !isUp);
  }

  /**
   * Rises with whatever changes what the models look at: rows under way or stored, frames but signs of life,
   * what machines run, gateways. The same number says that only time has passed.
   */
  get changes(): number {
    let changes = this.#changes + this.store.changes;
    for (const { supervisor } of this.machines) changes += supervisor.changes;
    return changes;
  }

  /** Hash of the trace so far. */
  traceHash(): string {
    return this.#trace.copy().digest('hex');
  }

  note(fact: string): void {
    this.tell(fact);
    this.#trace.update(`${this.clock.monotonicMs()} ${fact}\n`);
  }

  /** For the story of a violation; not part of the trace. */
  readonly tell = (fact: string): void =>
    this.trail.add(`${Math.round(this.clock.monotonicMs())} ms ${fact}`);

  /** It was given up by force and runs on: then its node may not count as known. */
  readonly onReconciled = (nodeId: string): void => {
    const fleet = this.gateway?.fleet;
    const name = fleet?.findNode(nodeId)?.name;
    const held = new Set(fleet?.liveAttempts(nodeId).map(({ id }) => id));
    const live = this.machines.find((machine) => machine.name === name)?.supervisor.liveAttempts() ?? [];
    for (const id of live)
      if (!held.has(id)) this.violate(`${name} is said to run only what it should, and runs ${id}`);
  };

  async execute<Name extends CommandName>(
    name: Name,
    input: CommandInput<Name>,
  ): Promise<CommandOutput<Name>> {
    const gateway = this.gateway;
    if (!gateway) throw new Error('the gateway is down');
    this.#requests += 1;
    this.#askedAtMs = this.clock.monotonicMs();
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
    const gateway = await openGateway(
      {
        clock,
        random: this.random,
        logger: this.#logger,
        key: this.#gatewayKey,
        openStore: async (schema) =>
          this.store.guard(await openMemoryStore({ clock }, this.disk, { schema })),
        storage: 'virtual disk',
        segments: this.#logDisk,
      },
      OPTIONS,
    );
    this.#gateway = { gateway, clock, sinceMs: this.clock.monotonicMs() };
    this.#changes += 1;
    this.rows.restored(gateway.fleet);
    this.network.listener = (channel) => gateway.acceptNode(channel);
    gateway.onFailed((error) => this.#failed(error, gateway));
  }

  /** The gateway dies around its next commit. */
  armCrash(boundary: Boundary, downMs: number): void {
    this.#armedDownMs = downMs;
    this.store.arm(boundary);
  }

  /** kill -9: whatever was not committed is gone. It is started again after so long. */
  crashGateway(downMs: number): void {
    if (!this.#gateway) return;
    this.note('crash gateway');
    // What was asked for at this very moment may not be on its way to the store yet.
    if (this.#askedAtMs < this.clock.monotonicMs()) this.rows.compare(this.#gateway.gateway.fleet);
    this.rows.crashed();
    this.network.listener = undefined;
    this.#changes += 1;
    this.#gateway.clock.kill();
    this.#gateway = undefined;
    for (const link of [...this.network.links]) link.die(link.gatewayEnd);
    this.disk.crash();
    this.clock.after(downMs, () => void this.#restartGateway());
  }

  /** Until it succeeds: a full disk refuses it for a while. */
  async #restartGateway(): Promise<void> {
    try {
      if (!this.#gateway) await this.startGateway();
      this.note('gateway is back');
    } catch {
      this.clock.after(RESTART_MS, () => void this.#restartGateway());
    }
  }

  /** What the gateway calls an error is a defect, unless its disk is the cause. */
  readonly #logger: Logger = {
    ...silentLogger,
    error: (message, facts) => this.violate(`the gateway says: ${message} ${JSON.stringify(facts ?? {})}`),
    child: () => this.#logger,
  };

  /** Memory is ahead of the rows: as in production, this gateway ends and another begins. */
  #failed(error: unknown, gateway: Gateway): void {
    const code = errorCode(error) ?? '';
    if (!code.startsWith('storage-')) this.violate(`the gateway gave up: ${errorMessage(error)}`);
    this.clock.after(0, () => {
      if (this.gateway === gateway) this.crashGateway(RESTART_MS);
    });
  }

  async #joinMachine(machine: VirtualMachine): Promise<void> {
    const [last, secondLast] = [this.machines.at(-1), this.machines.at(-2)];
    const approve = machine !== last && machine !== secondLast;
    const minting = this.execute('node.token', { approve });
    await this.clock.advance(100);
    await machine.startAgent((await minting).token);
    await this.clock.advance(1000);
    if (approve) return;
    // Some are refused first and admitted after all.
    const commands =
      machine === last ? (['node.retire', 'node.approve'] as const) : (['node.approve'] as const);
    for (const command of commands) {
      const done = this.execute(command, { node: machine.name });
      await this.clock.advance(1000);
      await done;
    }
  }
}
