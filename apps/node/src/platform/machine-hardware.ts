import type { Clock } from '@clawbernetes/kernel';
import type { NodeInventory } from '@clawbernetes/protocol';
import type { GpuChoice } from '../config.ts';
import { detectHardware } from '../hardware/detect-hardware.ts';
import { MetricsSampler } from '../hardware/metrics-sampler.ts';
import { nodeProbeProcesses } from '../hardware/probe-processes.ts';
import { ProbeRunner } from '../hardware/probe-runner.ts';
import { withSimulatedFaults } from '../hardware/simulated-faults.ts';
import { simulateGpus, type SimulatedGpus } from '../hardware/simulated-gpus.ts';
import { DiskProbe } from '../hardware/system-facts.ts';
import type { Hardware, MetricsSample } from '../host.ts';

export interface MachineHardwareOptions {
  readonly platform: NodeJS.Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of the file system that workloads write to. */
  readonly diskPath: string;
  readonly gpu: GpuChoice;
}

interface MachineHardwareDeps {
  readonly clock: Clock;
  readonly executors: () => Promise<NodeInventory['executors']>;
}

/** This machine's hardware. */
export class MachineHardware implements Hardware, AsyncDisposable {
  readonly #deps: MachineHardwareDeps;
  readonly #options: MachineHardwareOptions;
  readonly #probes: ProbeRunner;
  readonly #disk: DiskProbe;
  readonly #sampler: MetricsSampler;
  #gpus: NodeInventory['gpus'] = [];

  static async open(deps: MachineHardwareDeps, options: MachineHardwareOptions): Promise<MachineHardware> {
    const { clock } = deps;
    const probes = new ProbeRunner({ clock, processes: nodeProbeProcesses(options.environment) });
    const disk = new DiskProbe({ clock }, options.diskPath);
    const sampler = await MetricsSampler.open({ clock, probes, disk });
    return new MachineHardware(deps, options, { probes, disk, sampler });
  }

  private constructor(
    deps: MachineHardwareDeps,
    options: MachineHardwareOptions,
    { probes, disk, sampler }: { probes: ProbeRunner; disk: DiskProbe; sampler: MetricsSampler },
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#probes = probes;
    this.#disk = disk;
    this.#sampler = sampler;
  }

  async detect(): Promise<NodeInventory> {
    const { gpu, platform } = this.#options;
    const simulated = await this.#simulated();
    const [found, executors] = await Promise.all([
      detectHardware(
        { clock: this.#deps.clock, probes: this.#probes, disk: this.#disk },
        { platform, ...(simulated ? { simulated } : {}) },
      ),
      this.#deps.executors(),
    ]);
    const gpus = found.gpus.filter((device) => isOffered(device, gpu));
    const ids = new Set(gpus.map(({ id }) => id));
    const gpuLinks = found.gpuLinks.filter(({ from, to }) => ids.has(from) && ids.has(to));
    this.#gpus = gpus;
    return { ...found, gpus, gpuLinks, executors };
  }

  async #simulated(): Promise<SimulatedGpus | undefined> {
    const { simulate, simulateFaults } = this.#options.gpu;
    if (simulate === undefined) return undefined;
    const gpus = simulateGpus(simulate);
    return simulateFaults === undefined ? gpus : withSimulatedFaults(gpus, simulateFaults);
  }

  async sample(): Promise<MetricsSample> {
    const { gpus, system } = await this.#sampler.sample(this.#gpus);
    return { gpus, system };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#probes[Symbol.asyncDispose]();
  }
}

/** A choice names its GPUs; without one, detection decides. Simulated ones were asked for. */
function isOffered(
  { id, index, simulated }: NodeInventory['gpus'][number],
  { autoDetect, only }: GpuChoice,
): boolean {
  if (only) return only.includes(id) || only.includes(index) || only.includes(String(index));
  return autoDetect || simulated;
}
