import type { Random } from '@clawbernetes/kernel';
import type { CommandInput, CommandName } from '@clawbernetes/protocol';
import type { Simulation } from './simulation.ts';
import type { VirtualMachine } from './virtual-machine.ts';

/** What was taken out comes back after up to so long, ms. */
const OUT_MS = 300_000;
/** Until a node that fell silent has lost its lease, and some; ms. */
const SILENT_MS = 45_000;

/** People take nodes out and put them back while work is under way; what is refused is refused. */
export class AdministrationFaults {
  readonly #simulation: Simulation;

  readonly #onForced: (machine: string) => void;

  constructor(simulation: Simulation, onForced: (machine: string) => void) {
    this.#simulation = simulation;
    this.#onForced = onForced;
  }

  cordon(random: Random): void {
    const node = this.#machine(random).name;
    this.#do('node.cordon', { node });
    if (random.fraction() < 0.3) this.#after(random, OUT_MS / 2, () => this.#do('node.drain', { node }));
    this.#after(random, OUT_MS, () => this.#open(node));
  }

  drain(random: Random): void {
    const node = this.#machine(random).name;
    const deadlineMs = random.fraction() < 0.7 ? Math.floor(random.fraction() * 60_000) : undefined;
    const force = random.fraction() < 0.15;
    if (force) this.#onForced(node);
    const maxParallel = 1 + Math.floor(random.fraction() * 3);
    this.#do('node.drain', { node, force, maxParallel, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    if (random.fraction() < 0.3) this.#after(random, 5000, () => this.#do('node.cordon', { node }));
    if (random.fraction() < 0.3) this.#after(random, 5000, () => this.#do('node.undrain', { node }));
    this.#after(random, OUT_MS, () => this.#open(node));
  }

  taint(random: Random): void {
    const node = this.#machine(random).name;
    const effect = random.fraction() < 0.5 ? 'no-execute' : 'no-schedule';
    this.#do('node.taint', { node, add: [{ key: 'sim', value: 'x', effect }], remove: [] });
    this.#after(random, OUT_MS, () => this.#untaint(node));
  }

  /** Out of the fleet and in again, where its agent may be down meanwhile. */
  retire(random: Random): void {
    const machine = this.#machine(random);
    const node = machine.name;
    const { clock } = this.#simulation;
    const isAway = random.fraction() < 0.7;
    const next = random.fraction();
    this.#do('node.drain', { node, deadlineMs: 0, maxParallel: 100 });
    clock.after(60_000, () => this.#do('node.retire', { node }));
    if (isAway) clock.after(70_000, () => void machine.crashAgent());
    clock.after(120_000, () => {
      this.#do('node.approve', { node });
      if (next < 0.35) this.#do('node.cordon', { node });
      else if (next < 0.7) this.#do('node.drain', { node });
    });
    if (isAway) clock.after(130_000, () => void machine.startAgent());
    clock.after(200_000, () => this.#open(node));
  }

  /** A person vouches that a node out of reach is gone for good; yet it comes back, with its work. */
  abandon(random: Random): void {
    const { name: node } = this.#machine(random);
    const { clock, network } = this.#simulation;
    const backMs = SILENT_MS * (1 + 2 * random.fraction());
    const isAdmittedFirst = random.fraction() < 0.5;
    network.sever([node]);
    clock.after(SILENT_MS, () => {
      this.#vouch(node);
      this.#do('node.retire', { node, force: true });
    });
    clock.after(backMs, () => network.heal([node]));
    clock.after(backMs + (isAdmittedFirst ? -1000 : 20_000), () => this.#do('node.approve', { node }));
    clock.after(backMs + SILENT_MS, () => this.#open(node));
  }

  /** All that may run there is given up by a person. */
  #vouch(node: string): void {
    const { gateway, rows } = this.#simulation;
    const known = gateway?.fleet.nodes().find(({ name }) => name === node);
    for (const { workloadId } of known ? (gateway?.fleet.liveAttempts(known.id) ?? []) : [])
      rows.forced.add(workloadId);
  }

  /** When all faults are over: everything is in use again. */
  restoreAll(): void {
    for (const { name } of this.#simulation.machines) {
      this.#do('node.approve', { node: name });
      this.#open(name);
      this.#untaint(name);
    }
  }

  #open(node: string): void {
    this.#do('node.uncordon', { node });
  }

  #untaint(node: string): void {
    this.#do('node.taint', { node, add: [], remove: [{ key: 'sim' }] });
  }

  #do<Name extends CommandName>(name: Name, input: CommandInput<Name>): void {
    void this.#simulation.execute(name, input).catch(() => undefined);
  }

  #after(random: Random, mostMs: number, what: () => void): void {
    this.#simulation.clock.after(mostMs * random.fraction(), what);
  }

  #machine(random: Random): VirtualMachine {
    const { machines } = this.#simulation;
    const machine = machines[Math.floor(random.fraction() * machines.length)];
    if (!machine) throw new Error('there is no machine');
    return machine;
  }
}
