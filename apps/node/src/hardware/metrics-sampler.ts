import os from 'node:os';
import type { GpuDevice } from '@clawbernetes/protocol';
import type { Clock } from '@clawbernetes/kernel';
import type { MetricsSample, SystemMetrics } from '../host.ts';
import { readGpus, simulatedReading } from './gpu-metrics.ts';
import { cpuPercent, type CpuTimes } from './linux-facts.ts';
import type { ProbeRunner } from './probe-runner.ts';
import { readCpuTimes, readMemory, type DiskProbe, type DiskSpace } from './system-facts.ts';

export interface MetricsSamplerDeps {
  readonly clock: Clock;
  readonly probes: ProbeRunner;
  readonly disk: DiskProbe;
}

/** Reads what is in use now. A vendor tool that hangs costs its own readings only. */
export class MetricsSampler {
  readonly #deps: MetricsSamplerDeps;
  readonly #root: string;
  #cpu: CpuTimes;
  #disk: DiskSpace = { totalMib: 0, freeMib: 0 };

  /** Takes the first CPU reading, so that the first sample already covers a span of time. */
  static async open(
    deps: MetricsSamplerDeps,
    { root = '/' }: { readonly root?: string } = {},
  ): Promise<MetricsSampler> {
    return new MetricsSampler(deps, root, await readCpuTimes(root));
  }

  private constructor(deps: MetricsSamplerDeps, root: string, cpu: CpuTimes) {
    this.#deps = deps;
    this.#root = root;
    this.#cpu = cpu;
  }

  /** `gpus` are the devices of the inventory; MIG instances have no readings of their own. Never rejects. */
  async sample(gpus: readonly GpuDevice[]): Promise<MetricsSample> {
    const nowMs = this.#deps.clock.nowMs();
    const [system, real] = await Promise.all([this.#readSystem(), readGpus(this.#deps.probes, gpus)]);
    const simulated = gpus.filter((gpu) => gpu.simulated).map((gpu) => simulatedReading(gpu, nowMs));
    return { gpus: [...real, ...simulated], system };
  }

  async #readSystem(): Promise<SystemMetrics> {
    const [cpu, memory, disk] = await Promise.all([
      readCpuTimes(this.#root),
      readMemory(this.#root),
      // A file system that does not answer shows its last known state.
      this.#deps.disk.read().catch(() => this.#disk),
    ]);
    const before = this.#cpu;
    this.#cpu = cpu;
    this.#disk = disk;
    return {
      cpuPercent: cpuPercent(before, cpu),
      memoryUsedMib: memory.totalMib - memory.availableMib,
      memoryTotalMib: memory.totalMib,
      diskUsedMib: Math.max(0, disk.totalMib - disk.freeMib),
      diskTotalMib: disk.totalMib,
      loadAverage: os.loadavg()[0] ?? 0,
    };
  }
}
