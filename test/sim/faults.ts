import type { Simulation } from './simulation.ts';

export const FAULTS = [
  'gateway-crash',
  'agent-crash',
  'connection-cut',
  'half-open',
  'lossy-link',
  'late-frames',
  'supervisor-crash',
  'slow-disk',
  'disk-full',
  'clock-jump',
] as const;
export type Fault = (typeof FAULTS)[number];

/** A gateway or an agent is down for up to so long: past the lease (30 s), ms. */
const DOWN_MS = 90_000;
/** Now and then it is down until its node is called lost (300 s), ms. */
const LONG_DOWN_MS = 400_000;
const LONG_DOWN_CHANCE = 0.1;

/** Breaks things from the seed, and lets them come back. Counts what it did. */
export class Faults {
  readonly counts: Record<Fault, number> = {
    'gateway-crash': 0,
    'agent-crash': 0,
    'connection-cut': 0,
    'half-open': 0,
    'lossy-link': 0,
    'late-frames': 0,
    'supervisor-crash': 0,
    'slow-disk': 0,
    'disk-full': 0,
    'clock-jump': 0,
  };
  readonly #simulation: Simulation;

  readonly #onSupervisorCrash: (machine: string) => void;

  constructor(simulation: Simulation, onSupervisorCrash: (machine: string) => void) {
    this.#simulation = simulation;
    this.#onSupervisorCrash = onSupervisorCrash;
  }

  /** One fault, chosen by chance. */
  async strike(): Promise<void> {
    const { random } = this.#simulation;
    const fault = FAULTS[Math.floor(random.fraction() * FAULTS.length)] ?? 'connection-cut';
    this.counts[fault] += 1;
    this.#simulation.note(`fault ${fault}`);
    await this.#apply(fault);
  }

  async #apply(fault: Fault): Promise<void> {
    const { network, disk, clock, random } = this.#simulation;
    switch (fault) {
      case 'gateway-crash':
        return this.#crashGateway();
      case 'agent-crash':
        return this.#crashAgent();
      case 'connection-cut':
        return this.#anyLink()?.cut();
      case 'half-open': {
        const link = this.#anyLink();
        link?.blackhole();
        // Somebody notices in the end: a keep-alive, or an operator.
        return void clock.after(60_000, () => link && network.links.has(link) && link.cut());
      }
      case 'lossy-link': {
        const link = this.#anyLink();
        link?.lose(true);
        return void clock.after(60_000, () => link?.lose(false));
      }
      case 'late-frames':
        return this.#delayFrames();
      case 'supervisor-crash':
        return this.#crashSupervisor();
      case 'slow-disk':
        disk.setLatency({ minMs: 50, maxMs: 500 });
        return void clock.after(20_000, () => disk.setLatency({ minMs: 0.2, maxMs: 2 }));
      case 'disk-full':
        return this.#fillDisk();
      case 'clock-jump':
        return clock.jumpWallTime((random.fraction() - 0.5) * 120_000);
    }
  }

  #crashGateway(): void {
    const simulation = this.#simulation;
    if (!simulation.gateway) return;
    simulation.crashGateway();
    simulation.clock.after(this.#downMs(), () => void this.#restartGateway());
  }

  /** Until it succeeds: a full disk refuses it for a while. */
  async #restartGateway(): Promise<void> {
    const simulation = this.#simulation;
    if (simulation.gateway) return;
    try {
      await simulation.startGateway();
      simulation.note('gateway is back');
    } catch {
      simulation.clock.after(1000, () => void this.#restartGateway());
    }
  }

  async #crashAgent(): Promise<void> {
    const simulation = this.#simulation;
    const machine =
      simulation.machines[Math.floor(simulation.random.fraction() * simulation.machines.length)];
    if (!machine?.agent) return;
    await simulation.crashAgent(machine);
    simulation.clock.after(this.#downMs(), () => void simulation.startAgent(machine));
  }

  /** A full disk fails the gateway's store; it comes back when there is room again. */
  #fillDisk(): void {
    const simulation = this.#simulation;
    simulation.disk.setFull(true);
    simulation.clock.after(5_000, () => {
      simulation.disk.setFull(false);
      this.#crashGateway();
    });
  }

  /** What a node said arrives when it has long been connected anew. */
  #delayFrames(): void {
    const link = this.#anyLink();
    link?.lag(8_000);
    const machine = this.#simulation.machines.find(({ name }) => name === link?.name);
    if (!link || !machine) return;
    this.#simulation.clock.after(4_000, () => {
      if (machine.agent?.link === link) this.#simulation.note(`${machine.name} connects anew`);
      link.nodeEnd.closeListener(1006, 'the network changed');
      link.nodeEnd.frameListener = () => undefined;
      link.nodeEnd.closeListener = () => undefined;
      link.end(1006, 'the network changed');
    });
  }

  #crashSupervisor(): void {
    const { machines, random } = this.#simulation;
    const machine = machines[Math.floor(random.fraction() * machines.length)];
    if (!machine) return;
    this.#simulation.note(`crash the supervisor of ${machine.name}`);
    this.#onSupervisorCrash(machine.name);
    machine.supervisor.crash();
  }

  #downMs(): number {
    const { random } = this.#simulation;
    return random.fraction() < LONG_DOWN_CHANCE ? LONG_DOWN_MS : DOWN_MS * random.fraction();
  }

  #anyLink(): Parameters<Simulation['network']['forget']>[0] | undefined {
    const links = [...this.#simulation.network.links];
    return links[Math.floor(this.#simulation.random.fraction() * links.length)];
  }
}
