import type { GpuDevice, GpuFault, NodeInventory } from '@clawbernetes/protocol';
import { virtualHardware, type VirtualHardwareOptions } from '@clawbernetes/node/testing';

type Hardware = ReturnType<typeof virtualHardware>;

const GPUS = 4;
/** On every other machine the last GPU is cut up. */
const CUT_GPU = 3;
const PROFILES = ['3g.40gb', '1g.10gb', '1g.10gb'] as const;
const HOT_C = 99;
const COOL_C = 40;

/** The hardware of a virtual machine, whose GPUs break and are mended. */
export class MachineHardware implements Hardware {
  readonly #name: string;
  readonly #faults = new Map<number, GpuFault>();
  readonly #missing = new Set<number>();
  readonly #hot = new Set<number>();
  /** Instances, by their numbers. */
  readonly #destroyed = new Set<number>();
  /** As it is now; undefined after a change. */
  #present: Hardware | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** A GPU says so until it is mended. */
  break(index: number, fault: GpuFault): void {
    this.#faults.set(index, fault);
    this.#present = undefined;
  }

  /** It falls off the bus. */
  lose(index: number): void {
    this.#missing.add(index);
    this.#present = undefined;
  }

  /** Whether the GPU is cut into MIG instances. */
  isCut(index: number): boolean {
    return index === CUT_GPU && Number(this.#name.at(-1)) % 2 === 0;
  }

  /** Somebody destroys the instance of the GPU that is cut up. */
  destroy(instance: number): void {
    this.#destroyed.add(instance);
    this.#present = undefined;
  }

  heat(index: number): void {
    this.#hot.add(index);
  }

  mend(index: number): void {
    this.#faults.delete(index);
    this.#missing.delete(index);
    this.#hot.delete(index);
    if (this.isCut(index)) this.#destroyed.clear();
    this.#present = undefined;
  }

  detect(options: Parameters<Hardware['detect']>[0]): Promise<NodeInventory> {
    return this.#hardware().detect(options);
  }

  async sample(options: Parameters<Hardware['sample']>[0]): ReturnType<Hardware['sample']> {
    const sample = await this.#hardware().sample(options);
    const hot = new Set([...this.#hot].map((index) => gpuId(this.#name, index)));
    const whole = sample.gpus.filter(({ deviceId }) => !deviceId.includes('-mig-'));
    const gpus = whole.map((gpu) => ({ ...gpu, temperatureC: hot.has(gpu.deviceId) ? HOT_C : COOL_C }));
    return { ...sample, gpus };
  }

  #hardware(): Hardware {
    this.#present ??= virtualHardware(this.#options());
    return this.#present;
  }

  #options(): VirtualHardwareOptions {
    const present = Array.from({ length: GPUS }, (_, index) => index).filter(
      (one) => !this.#missing.has(one),
    );
    const gpus = present.map((index) => this.#gpu(index));
    const devices = [...gpus, ...gpus.flatMap((gpu) => this.#instances(gpu))];
    return { hostname: this.#name, gpus: devices, gpuLinks: linksOf(gpus) };
  }

  /** With the faults of their GPU, as real agents report them. */
  #instances({ migEnabled, ...gpu }: GpuDevice): readonly GpuDevice[] {
    if (migEnabled !== true) return [];
    return PROFILES.flatMap((migProfile, index) =>
      this.#destroyed.has(index)
        ? []
        : { ...gpu, id: `${gpu.id}-mig-${index}`, index, parentId: gpu.id, migProfile, memoryMib: 9_984 },
    );
  }

  /** Not labelled as simulated, so that it is missed when it is gone: nobody but this program sees it. */
  #gpu(index: number): GpuDevice {
    const fault = this.#faults.get(index);
    return {
      id: gpuId(this.#name, index),
      index,
      vendor: 'nvidia',
      model: 'H100',
      memoryMib: 81_559,
      numaNode: numaOf(index),
      migEnabled: this.isCut(index),
      health: fault ? { state: 'unhealthy', reason: fault.message } : { state: 'healthy' },
      ...(fault && { faults: [fault] }),
      simulated: false,
    };
  }
}

export function gpuId(machine: string, index: number): string {
  return `${machine}-gpu-${index}`;
}

/** NVLink joins each second GPU to the one before. */
export function islandOf(index: number): number {
  return index >> 1;
}

/** Across the islands, so that neither says anything of the other. */
export function numaOf(index: number): number {
  return index & 1;
}

function linksOf(gpus: readonly GpuDevice[]): NodeInventory['gpuLinks'] {
  return gpus.flatMap(({ id: from, index }) =>
    gpus
      .filter((other) => other.index !== index && islandOf(other.index) === islandOf(index))
      .map(({ id: to }) => ({ from, to, link: 'NV' as const, width: 4 })),
  );
}

export const GPUS_PER_MACHINE = GPUS;
/** Of a GPU that is cut up. */
export const INSTANCES = PROFILES.length;
