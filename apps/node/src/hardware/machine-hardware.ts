import type { GpuDevice, NodeInventory } from '@clawbernetes/protocol';
import type { Clock } from '@clawbernetes/kernel';
import type { Hardware, MetricsSample } from '../host.ts';
import { detectHardware } from './detect-hardware.ts';
import { MetricsSampler } from './metrics-sampler.ts';
import type { ProbeProcesses } from './probe-processes.ts';
import { ProbeRunner } from './probe-runner.ts';
import type { SimulatedGpus } from './simulated-gpus.ts';
import { DiskProbe } from './system-facts.ts';

export interface MachineHardwareDeps {
  readonly clock: Clock;
  readonly processes: ProbeProcesses;
  /** What this machine can run workloads with. */
  readonly executors: () => Promise<NodeInventory['executors']>;
}

export interface MachineHardwareOptions {
  readonly platform: NodeJS.Platform;
  /** On the file system that workloads write to. */
  readonly diskPath: string;
  readonly root?: string;
  /** From `--simulate-gpus`: in the place of the real GPUs. */
  readonly simulated?: SimulatedGpus;
}

/** The machine that the agent runs on. Detection and sampling share the memory of which tools are stuck. */
export class MachineHardware implements Hardware, AsyncDisposable {
  readonly #deps: MachineHardwareDeps & { readonly probes: ProbeRunner; readonly disk: DiskProbe };
  readonly #options: MachineHardwareOptions;
  readonly #sampler: MetricsSampler;
  #gpus: readonly GpuDevice[] = [];

  static async open(deps: MachineHardwareDeps, options: MachineHardwareOptions): Promise<MachineHardware> {
    const { clock, processes } = deps;
    const parts = {
      clock,
      probes: new ProbeRunner({ clock, processes }),
      disk: new DiskProbe({ clock }, options.diskPath),
    };
    const root = options.root === undefined ? {} : { root: options.root };
    return new MachineHardware({ ...deps, ...parts }, options, await MetricsSampler.open(parts, root));
  }

  private constructor(
    deps: MachineHardwareDeps & { readonly probes: ProbeRunner; readonly disk: DiskProbe },
    options: MachineHardwareOptions,
    sampler: MetricsSampler,
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#sampler = sampler;
  }

  async detect(): Promise<NodeInventory> {
    const [inventory, executors] = await Promise.all([
      detectHardware(this.#deps, this.#options),
      this.#deps.executors(),
    ]);
    this.#gpus = inventory.gpus;
    return { ...inventory, executors };
  }

  /** Of the GPUs that were detected last. */
  async sample(): Promise<MetricsSample> {
    return await this.#sampler.sample(this.#gpus);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deps.probes[Symbol.asyncDispose]();
  }
}
