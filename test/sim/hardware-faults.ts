import type { Random } from '@clawbernetes/kernel';
import type { GpuFault } from '@clawbernetes/protocol';
import { GPUS_PER_MACHINE, INSTANCES } from './machine-hardware.ts';
import type { Simulation } from './simulation.ts';
import type { VirtualMachine } from './virtual-machine.ts';

/** An agent looks at its hardware every 300 s: a fault stays until it was seen, ms. */
const FAULT_MS = { min: 320_000, max: 700_000 } as const;
/**
 * NVIDIA's Xid catalogue: fallen off the bus, double-bit ECC, row remap failure; and one that is the
 * program's.
 */
const XIDS: readonly { readonly code: number; readonly action: GpuFault['action'] }[] = [
  { code: 79, action: 'drain-reboot' },
  { code: 48, action: 'reset-gpu' },
  { code: 64, action: 'replace' },
  { code: 31, action: 'restart-app' },
];

/** Breaks GPUs and mends them. */
export class HardwareFaults {
  readonly #simulation: Simulation;
  #occurrences = 0;
  #isOver = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  xid(random: Random): void {
    const { machine, index } = this.#gpu(random);
    const { code, action } = XIDS[Math.floor(random.fraction() * XIDS.length)] ?? {
      code: 79,
      action: 'drain-reboot',
    };
    this.#break(machine, index, code, action);
    // Another one on top, or the card is gone for good.
    this.#later(random, 0.4, () => this.#break(machine, index, 48, 'reset-gpu'));
    this.#later(random, 0.3, () => this.#lose(machine, index));
    this.#mendLater(random, machine, index);
  }

  /** A GPU falls off the bus, and somewhere else somebody cuts one up otherwise. */
  missing(random: Random): void {
    const { machine, index } = this.#gpu(random);
    this.#recut(random);
    this.#lose(machine, index);
    const comesBackBroken = random.fraction() < 0.4;
    this.#mendLater(random, machine, index, () => {
      if (comesBackBroken) {
        this.#break(machine, index, 79, 'drain-reboot');
        this.#mendLater(random, machine, index);
      }
    });
  }

  #recut(random: Random): void {
    const last = GPUS_PER_MACHINE - 1;
    const cut = this.#simulation.machines.filter(({ hardware }) => hardware.isCut(last));
    const machine = cut[Math.floor(random.fraction() * cut.length)];
    if (!machine || this.#isOver) return;
    for (let instance = 0; instance < INSTANCES; instance += 1)
      if (random.fraction() < 0.6) machine.hardware.destroy(instance);
    this.#mendLater(random, machine, last);
  }

  hot(random: Random): void {
    const { machine, index } = this.#gpu(random);
    machine.hardware.heat(index);
    const { clock } = this.#simulation;
    const again = random.fraction();
    clock.after(60_000 + 60_000 * random.fraction(), () => {
      machine.hardware.mend(index);
      // Hot again, or gone, while it is on probation.
      if (again < 0.3) clock.after(20_000, () => this.#isOver || machine.hardware.heat(index));
      if (again > 0.5) clock.after(15_000, () => this.#goneAtRestart(machine, index));
      clock.after(120_000, () => machine.hardware.mend(index));
    });
  }

  /** Somebody says that a GPU may be used, whatever is wrong with it. */
  release(random: Random): void {
    const { gateway, clock } = this.#simulation;
    if (!gateway) return;
    const broken = gateway.fleet
      .nodes()
      .flatMap((node) =>
        gateway.fleet
          .gpuViews(node)
          .flatMap((gpu) =>
            gpu.condition ? [{ node: node.name, gpu: gpu.id, state: gpu.condition.state }] : [],
          ),
      )
      // Work on an instance that nobody expects any more would be left alone.
      .filter(({ gpu, state }) => state !== 'missing' || !gpu.includes('-mig-'));
    const quarantined = broken.filter(({ state }) => state === 'quarantined');
    const from = quarantined.length > 0 && random.fraction() < 0.7 ? quarantined : broken;
    const chosen = from[Math.floor(random.fraction() * from.length)];
    if (!chosen) return;
    const { node, gpu } = chosen;
    void this.#simulation.execute('gpu.release', { node, gpu }).catch(() => undefined);
    if (random.fraction() > 0.5) return;
    const machine = this.#simulation.machines.find(({ name }) => name === chosen.node);
    const index = Number(/-gpu-(\d)/.exec(chosen.gpu)?.[1]);
    // The released one breaks anew, or is gone.
    const isGone = random.fraction() < 0.5;
    clock.after(10_000, () => {
      if (!machine) return;
      if (isGone) this.#lose(machine, index);
      else this.#break(machine, index, 48, 'reset-gpu');
      this.#mendLater(random, machine, index);
    });
  }

  /** Nothing breaks any more. */
  end(): void {
    this.#isOver = true;
    for (const { hardware } of this.#simulation.machines)
      for (let index = 0; index < GPUS_PER_MACHINE; index += 1) hardware.mend(index);
  }

  #lose(machine: VirtualMachine, index: number): void {
    if (!this.#isOver) machine.hardware.lose(index);
  }

  #goneAtRestart(machine: VirtualMachine, index: number): void {
    this.#lose(machine, index);
    void machine.crashAgent().then(() => machine.startAgent());
  }

  #break(machine: VirtualMachine, index: number, code: number, action: GpuFault['action']): void {
    if (this.#isOver) return;
    this.#occurrences += 1;
    const message = `Xid ${code}.`;
    machine.hardware.break(index, { key: `xid-${this.#occurrences}`, kind: 'xid', code, action, message });
  }

  #mendLater(random: Random, machine: VirtualMachine, index: number, then = (): void => undefined): void {
    const afterMs = FAULT_MS.min + (FAULT_MS.max - FAULT_MS.min) * random.fraction();
    this.#simulation.clock.after(afterMs, () => {
      machine.hardware.mend(index);
      then();
    });
  }

  #later(random: Random, chance: number, what: () => void): void {
    const afterMs = FAULT_MS.min * random.fraction();
    if (random.fraction() < chance) this.#simulation.clock.after(afterMs, what);
  }

  #gpu(random: Random): { readonly machine: VirtualMachine; readonly index: number } {
    const { machines } = this.#simulation;
    const machine = machines[Math.floor(random.fraction() * machines.length)];
    if (!machine) throw new Error('there is no machine');
    // The last one, which may be cut up, twice as often as the others.
    const index = Math.min(GPUS_PER_MACHINE - 1, Math.floor(random.fraction() * (GPUS_PER_MACHINE + 1)));
    return { machine, index };
  }
}
