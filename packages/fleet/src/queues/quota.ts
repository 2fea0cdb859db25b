import type { Quota } from '@clawbernetes/protocol';
import type { Amounts, Dimension } from '../scheduler/queues/amounts.ts';
import { EVERY_GPU, OTHER_GPUS } from '../scheduler/queues/gpu-classes.ts';

/** As people give it, in the units of the scheduler. */
export function amountsOfQuota({ gpus, gpuModels = {}, cpuMilli, memoryMib }: Quota): Amounts {
  const vector = new Map<Dimension, number>();
  if (gpus !== undefined) vector.set(EVERY_GPU, Math.round(gpus * 1000));
  for (const [model, amount] of Object.entries(gpuModels))
    vector.set(`gpu:${model.toLowerCase()}`, Math.round(amount * 1000));
  if (cpuMilli !== undefined) vector.set('cpuMilli', cpuMilli);
  if (memoryMib !== undefined) vector.set('memoryMib', memoryMib);
  return vector;
}

/** For people; GPUs of models that no queue speaks of have no name, so that they are in a sum alone. */
export function quotaOfAmounts(vector: Amounts): Quota {
  const quota: { -readonly [Name in keyof Quota]: Quota[Name] } = {};
  const gpuModels: Record<string, number> = {};
  let sum = 0;
  let isMixed = false;
  for (const [dimension, amount] of vector) {
    if (dimension === 'cpuMilli' || dimension === 'memoryMib') quota[dimension] = amount;
    else if (dimension === EVERY_GPU) quota.gpus = amount / 1000;
    else {
      sum += amount;
      if (dimension === OTHER_GPUS) isMixed = true;
      else gpuModels[dimension.slice('gpu:'.length)] = amount / 1000;
    }
  }
  if (isMixed) quota.gpus ??= sum / 1000;
  return { ...quota, ...(Object.keys(gpuModels).length > 0 ? { gpuModels } : {}) };
}
