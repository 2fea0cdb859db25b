import type { GpuDevice } from '@clawbernetes/protocol';
import { CodedError, nearest } from '@clawbernetes/kernel';
import type { GpuLink } from './gpu-detection.ts';
import { migProfileMemoryMib } from './nvidia-mig.ts';
import { SIMULATED_MODELS, type SimulatedModel } from './simulated-models.ts';

export interface SimulatedGpus {
  /** As given, for messages. */
  readonly spec: string;
  readonly gpus: readonly GpuDevice[];
  readonly links: readonly GpuLink[];
}

/** As many as an inventory holds. */
const MAX_GPUS = 256;
/** A count, a model, and the MIG profiles that each GPU is cut into. */
const GROUP = /^(?:(\d{1,4})x)?([\w-]{1,40})((?:\/\d{1,2}g\.\d{1,4}gb){0,7})$/i;

interface SimulatedGpu {
  readonly model: SimulatedModel;
  readonly profiles: readonly string[];
}

/**
 * GPUs that do not exist, from `8xH100` or `4xA100-80GB,2xRTX4090`; every one is labelled `simulated`.
 * `A100/3g.40gb/3g.40gb` has two MIG instances.
 * @throws CodedError `invalid-simulated-gpus` that names the part at fault.
 */
export function simulateGpus(spec: string): SimulatedGpus {
  const parts = spec.split(',').flatMap((part) => simulatedGroup(part.trim()));
  const count = parts.reduce((sum, { profiles }) => sum + 1 + profiles.length, 0);
  if (count > MAX_GPUS) {
    throw refuse(spec, `--simulate-gpus asks for ${count} GPUs; a node has at most ${MAX_GPUS}.`);
  }
  const models = parts.map(({ model }) => model);
  const gpus = parts.map((part, index) => toDevice(part, index, parts.length));
  const links = gpus.flatMap((from, row) =>
    gpus.flatMap((to, column) => (row === column ? [] : [link(models, from, to)])),
  );
  const instances = parts.flatMap(({ profiles }, index) => instancesOf(gpus[index], profiles));
  return { spec, gpus: [...gpus, ...instances], links };
}

function simulatedGroup(part: string): readonly SimulatedGpu[] {
  const [, count = '1', name, cuts = ''] = GROUP.exec(part) ?? [];
  if (name === undefined || Number(count) < 1) {
    throw refuse(
      part,
      `"${part}" in --simulate-gpus is not a count and a model; write it like 8xH100 or 2xRTX4090.`,
    );
  }
  const known = Object.keys(SIMULATED_MODELS);
  const key = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  const model = key === undefined ? undefined : SIMULATED_MODELS[key];
  if (!model) {
    const guess = nearest(name, known);
    const hint = guess === undefined ? '' : ` Did you mean ${guess}?`;
    throw refuse(
      part,
      `"${name}" in --simulate-gpus is no model I know.${hint} Known models: ${known.join(', ')}.`,
    );
  }
  // The check of the sum comes later; this one keeps 9999x from being built first.
  const profiles = cuts.split('/').slice(1);
  return Array.from({ length: Math.min(Number(count), MAX_GPUS + 1) }, () => ({ model, profiles }));
}

function instancesOf(gpu: GpuDevice | undefined, profiles: readonly string[]): readonly GpuDevice[] {
  if (!gpu) return [];
  const { powerLimitW: _shared, migEnabled: _parent, ...inherited } = gpu;
  return profiles.map((migProfile, index) => ({
    ...inherited,
    ...{ id: `${gpu.id}-mig-${index}`, index, parentId: gpu.id, migProfile },
    memoryMib: migProfileMemoryMib(migProfile),
  }));
}

function toDevice({ model, profiles }: SimulatedGpu, index: number, count: number): GpuDevice {
  return {
    id: `sim-gpu-${index}`,
    index,
    vendor: model.vendor,
    model: model.model,
    memoryMib: model.memoryMib,
    driverVersion: 'simulated',
    computeCapability: model.computeCapability,
    // More than four GPUs hang on two sockets, as in the common eight-GPU machines.
    numaNode: count > 4 && index >= count / 2 ? 1 : 0,
    powerLimitW: model.powerLimitW,
    migEnabled: profiles.length > 0,
    health: { state: 'healthy' },
    simulated: true,
  };
}

function link(models: readonly SimulatedModel[], from: GpuDevice, to: GpuDevice): GpuLink {
  const [one, other] = [models[from.index], models[to.index]];
  const ends = { from: from.id, to: to.id };
  if (one && one === other && one.fabric === 'nvswitch') return { ...ends, link: 'NV', width: one.nvlinks };
  if (one && one === other && one.fabric === 'xgmi') return { ...ends, link: 'XGMI' };
  return { ...ends, link: from.numaNode === to.numaNode ? 'PHB' : 'SYS' };
}

function refuse(
  part: string,
  message: string,
): CodedError<{ readonly code: 'invalid-simulated-gpus'; readonly part: string }> {
  return new CodedError(message, { code: 'invalid-simulated-gpus', part });
}
