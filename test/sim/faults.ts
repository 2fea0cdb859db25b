import { seededRandom, type Random } from '@clawbernetes/kernel';
import { AdministrationFaults } from './administration-faults.ts';
import { noFaults, type Fault, type PlannedFault } from './fault-plan.ts';
import { HardwareFaults } from './hardware-faults.ts';
import type { Simulation } from './simulation.ts';
import type { Boundary } from './store-gate.ts';
import type { AgentCrash, VirtualMachine } from './virtual-machine.ts';
import type { VirtualLink } from './virtual-network.ts';

/** A gateway or an agent is down for up to so long: past the lease (30 s), ms. */
const DOWN_MS = 90_000;
/** Now and then it is down until its node is called lost (300 s), ms. */
const LONG_DOWN_MS = 400_000;
const LONG_DOWN_CHANCE = 0.1;
/** Until a dead link is noticed by a keep-alive or an operator, ms. */
const NOTICED_MS = 60_000;
/** At so many moments, 100 ms apart, for what a fault waits for. */
const LOOKS = 600;
/** Until what runs on a node without contact is unknown: its lease, and some; ms. */
const UNKNOWN_MS = 45_000;
const FLAPS = 8;
/** Frames of nodes wait for their turn up to so long, which is nearly a lease; and while they do, ms. */
const BEHIND_MS = 28_000;
const STORM_MS = 60_000;
const CALM_CHANCE = 0.6;
const EDITS = 10;

/** What faults ask of the workloads of a run. */
export interface FaultTargets {
  supervisorCrashed(machine: string): void;
  /** All work there is being stopped. */
  mayBeStopped(machine: string): void;
  submitBurst(): void;
  forceStop(random: Random): void;
  /** Where something runs that never ends by itself, nor for want of contact. */
  machineOfEndless(): string | undefined;
  editConfig(): void;
  editQuota(): void;
}

/** Breaks things as planned, and lets them come back. Counts what it did. */
export class Faults {
  readonly counts = noFaults();
  readonly #simulation: Simulation;
  readonly #targets: FaultTargets;
  readonly #hardware: HardwareFaults;
  readonly #administration: AdministrationFaults;
  readonly #strikes: Readonly<Record<Fault, (random: Random) => void>>;

  constructor(simulation: Simulation, targets: FaultTargets) {
    this.#simulation = simulation;
    this.#targets = targets;
    this.#hardware = new HardwareFaults(simulation);
    this.#administration = new AdministrationFaults(simulation, (machine) => targets.mayBeStopped(machine));
    const hardware = this.#hardware;
    const administration = this.#administration;
    this.#strikes = {
      ...this.#crashes(),
      ...this.#network(),
      ...this.#machines(),
      xid: (random) => hardware.xid(random),
      'gpu-missing': (random) => hardware.missing(random),
      'gpu-hot': (random) => hardware.hot(random),
      'gpu-release': (random) => hardware.release(random),
      'pull-failures': (random) => this.#failPulls(random),
      cordon: (random) => administration.cordon(random),
      drain: (random) => administration.drain(random),
      taint: (random) => administration.taint(random),
      retire: (random) => administration.retire(random),
      'forced-stop': (random) => this.#giveUp(random),
      'forced-retire': (random) => administration.abandon(random),
      'config-edits': (random) => this.#editOften(random, () => targets.editConfig()),
      'quota-edits': (random) => this.#editOften(random, () => targets.editQuota()),
      burst: (random) => this.#storm(random),
    };
  }

  /** Applies one, with choices of its own, so that it does the same whatever struck before. */
  strike({ fault, seed }: PlannedFault): void {
    this.counts[fault] += 1;
    this.#simulation.note(`fault ${fault}`);
    this.#strikes[fault](seededRandom(seed));
  }

  /** What waits for its moment does not strike any more. */
  disarm(): void {
    this.#simulation.store.disarm();
    for (const machine of this.#simulation.machines) machine.disarm();
  }

  /** No more of them; what is out is mended and put back. Safe to repeat. */
  end(): void {
    this.#hardware.end();
    this.#administration.restoreAll();
  }

  #crashes() {
    const simulation = this.#simulation;
    const around = (boundary: Boundary) => (random: Random) => simulation.armCrash(boundary, downMs(random));
    const agent = (at: AgentCrash['at']) => (random: Random) => this.#armAgent(random, at);
    return {
      'gateway-crash': (random: Random) => simulation.crashGateway(downMs(random)),
      'crash-before-commit': around('before'),
      'crash-during-commit': around('during'),
      'crash-after-commit': around('after'),
      'agent-crash': (random: Random) => this.#crashAgent(this.#machine(random), downMs(random)),
      'crash-around-launch': agent('launch'),
      'crash-around-stop': agent('stop'),
      'crash-around-forget': agent('forget'),
      'supervisor-crash': (random: Random) => this.#crashSupervisor(random),
    };
  }

  #network() {
    const { network, clock } = this.#simulation;
    return {
      'connection-cut': (random: Random) => this.#link(random)?.cut(),
      'half-open': (random: Random) => this.#halfOpen(random),
      'lossy-link': (random: Random) => {
        const link = this.#link(random);
        link?.lose(true);
        clock.after(NOTICED_MS, () => link?.lose(false));
      },
      'reordered-frames': (random: Random) => {
        const link = this.#link(random);
        link?.disorder(100 + 9900 * random.fraction() ** 2);
        clock.after(NOTICED_MS, () => link?.disorder(0));
      },
      'late-frames': (random: Random) => this.#delayFrames(random),
      'slow-network': (random: Random) => {
        network.slowMs = 100 + 3000 * random.fraction();
        clock.after(60_000, () => (network.slowMs = 0));
      },
      partition: (random: Random) => this.#sever(random, 1 + Math.floor(random.fraction() * 2)),
      'mass-loss': (random: Random) => {
        const { length } = this.#simulation.machines;
        this.#sever(random, Math.max(4, Math.floor(length * (0.6 + 0.4 * random.fraction()))));
      },
      'flapping-node': (random: Random) => this.#flap(random),
    };
  }

  #machines() {
    const { disk, clock } = this.#simulation;
    return {
      'slow-disk': () => {
        disk.setLatency({ minMs: 50, maxMs: 500 });
        clock.after(20_000, () => disk.setLatency({ minMs: 0.2, maxMs: 2 }));
      },
      'disk-full': () => {
        disk.setFull(true);
        clock.after(5000, () => disk.setFull(false));
      },
      'clock-jump': (random: Random) => clock.jumpWallTime((random.fraction() - 0.5) * 120_000),
      'clock-skew': (random: Random) => {
        this.#machine(random).clock.skewMs = (random.fraction() - 0.5) * 600_000;
      },
    };
  }

  #crashAgent(machine: VirtualMachine, forMs: number): void {
    if (!machine.isUp) return;
    void machine.crashAgent();
    this.#simulation.clock.after(forMs, () => void machine.startAgent());
  }

  #armAgent(random: Random, at: AgentCrash['at']): void {
    const machine = this.#machine(random);
    const forMs = downMs(random);
    machine.armCrash({ at, done: random.fraction() < 0.5 }, () => this.#crashAgent(machine, forMs));
  }

  /** At once, or as soon as something is just ending, or beginning. */
  #crashSupervisor(random: Random): void {
    const chance = random.fraction();
    const state = chance < 0.4 ? 'stopping' : chance < 0.7 ? 'accepted' : undefined;
    const chosen = this.#machine(random);
    const crash = (machine: VirtualMachine): void => {
      this.#targets.supervisorCrashed(machine.name);
      machine.supervisor.crash();
    };
    const look = (left: number): void => {
      const found = state === undefined || left === 0 ? chosen : this.#machineWith(state);
      if (found) crash(found);
      else this.#simulation.clock.after(100, () => look(left - 1));
    };
    look(LOOKS);
  }

  #machineWith(state: 'stopping' | 'accepted'): VirtualMachine | undefined {
    const { gateway, machines } = this.#simulation;
    return machines.find(({ name }) =>
      gateway?.fleet.liveAttempts(gateway.fleet.node(name).id).some((attempt) => attempt.state === state),
    );
  }

  #halfOpen(random: Random): void {
    const link = this.#link(random);
    link?.blackhole((['both', 'node', 'gateway'] as const)[Math.floor(random.fraction() * 3)]);
    this.#simulation.clock.after(
      NOTICED_MS,
      () => link && this.#simulation.network.links.has(link) && link.cut(),
    );
  }

  /** What a node said arrives when it has long been connected anew. */
  #delayFrames(random: Random): void {
    const link = this.#link(random);
    link?.lag(8000);
    const machine = this.#simulation.machines.find(({ name }) => name === link?.name);
    if (!link || !machine) return;
    this.#simulation.clock.after(4000, () => {
      if (machine.link === link) this.#simulation.note(`${machine.name} connects anew`);
      link.nodeEnd.closeListener(1006, 'the network changed');
      link.nodeEnd.frameListener = () => undefined;
      link.nodeEnd.closeListener = () => undefined;
      link.end(1006, 'the network changed');
    });
  }

  #sever(random: Random, count: number): void {
    const { machines, network, clock } = this.#simulation;
    const names = machines.map(({ name }) => name).toSorted(() => random.fraction() - 0.5);
    const chosen = names.slice(0, count);
    network.sever(chosen);
    const back = (from: number, to: number) => () => network.heal(chosen.slice(from, to));
    const forMs = random.fraction() < 0.3 ? LONG_DOWN_MS : 20_000 + DOWN_MS * random.fraction();
    // They come back in two waves, so that some are silent longer than others.
    const half = Math.ceil(chosen.length / 2);
    clock.after(forMs, back(0, half));
    clock.after(forMs * (1 + random.fraction()), back(half, chosen.length));
    if (random.fraction() < 0.5) clock.after(35_000, () => this.#targets.forceStop(random));
    if (count > 3 && random.fraction() < 0.3)
      clock.after(forMs * 0.8, () => void this.#simulation.execute('node.thaw', {}).catch(() => undefined));
  }

  #flap(random: Random): void {
    const { network, clock } = this.#simulation;
    const { name } = this.#machine(random);
    const flap = (left: number): void => {
      for (const link of [...network.links]) if (link.name === name) link.cut();
      if (left > 0) clock.after(3000 + 12_000 * random.fraction(), () => flap(left - 1));
    };
    flap(FLAPS);
  }

  /** What a person gives up while its node is away runs there when it is back, if it never ends by itself. */
  #giveUp(random: Random): void {
    const name = this.#targets.machineOfEndless();
    const { network, clock } = this.#simulation;
    if (name === undefined || random.fraction() < 0.3) return this.#targets.forceStop(random);
    network.sever([name]);
    clock.after(UNKNOWN_MS, () => this.#targets.forceStop(random));
    clock.after(UNKNOWN_MS * (1 + random.fraction()), () => network.heal([name]));
  }

  /** Much comes at once, and the gateway may be behind with what nodes say. */
  #storm(random: Random): void {
    const { network, clock } = this.#simulation;
    this.#targets.submitBurst();
    if (random.fraction() < CALM_CHANCE) return;
    network.behindMs = BEHIND_MS * random.fraction();
    clock.after(STORM_MS, () => (network.behindMs = 0));
  }

  #failPulls(random: Random): void {
    const machine = this.#machine(random);
    machine.pullsFail = true;
    this.#simulation.clock.after(120_000, () => (machine.pullsFail = false));
  }

  /** While work comes and goes, and earlier edits are still under way. */
  #editOften(random: Random, what: () => void): void {
    const edit = (left: number): void => {
      what();
      if (left > 0) this.#simulation.clock.after(5000 * random.fraction(), () => edit(left - 1));
    };
    edit(EDITS);
  }

  #machine(random: Random): VirtualMachine {
    return pick(random, this.#simulation.machines);
  }

  #link(random: Random): VirtualLink | undefined {
    const links = [...this.#simulation.network.links];
    return links[Math.floor(random.fraction() * links.length)];
  }
}

function downMs(random: Random): number {
  return random.fraction() < LONG_DOWN_CHANCE ? LONG_DOWN_MS : DOWN_MS * random.fraction();
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const chosen = from[Math.floor(random.fraction() * from.length)];
  if (chosen === undefined) throw new Error('there is nothing to choose from');
  return chosen;
}
