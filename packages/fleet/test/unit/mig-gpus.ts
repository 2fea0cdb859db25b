// Not a test: GPUs that MIG has cut into instances.
import type { GpuDevice } from '@clawbernetes/protocol';
import { inventory } from './fleet-fixture.ts';

export const H100 = 'NVIDIA H100 80GB HBM3';
export const GH200 = 'NVIDIA GH200 96GB';
export const RTX_PRO = 'NVIDIA RTX PRO 6000 Blackwell Server Edition';

/** One GPU and its instances, in the order in which an agent reports them; without profiles a whole one. */
export function cutGpu(
  name: string,
  index: number,
  { model = H100, profiles }: { readonly model?: string; readonly profiles: readonly string[] },
): readonly GpuDevice[] {
  const [example] = inventory(name, 1).gpus;
  if (!example) throw new Error('an example of a GPU');
  const gpu: GpuDevice = { ...example, id: `${name}-gpu-${index}`, index, model, simulated: false };
  if (profiles.length === 0) return [gpu];
  const instances = profiles.map((migProfile, device) => ({
    ...gpu,
    ...{ id: `${gpu.id}-mig-${device}`, index: device, parentId: gpu.id, migProfile, memoryMib: 9_984 },
  }));
  return [{ ...gpu, migEnabled: true }, ...instances];
}

/** As an agent reports them: GPUs first, then instances. */
export function gpusOf(...cut: readonly (readonly GpuDevice[])[]): GpuDevice[] {
  const all = cut.flat();
  return [
    ...all.filter((gpu) => gpu.parentId === undefined),
    ...all.filter((gpu) => gpu.parentId !== undefined),
  ];
}
