import { WHOLE_GPU } from '../cluster/demand.ts';
import { migPart } from '../cluster/mig-part.ts';
import { WHOLE_NAME } from '../gpu-fit.ts';
import { addTo, type Amounts, type Dimension } from './amounts.ts';
import type { Placement } from '../placement.ts';
import type { Shape } from '../resources.ts';
import { EVERY_GPU, type GpuClasses } from './gpu-classes.ts';
import type { GpuModels } from './gpu-models.ts';

/** What is held of a node's resources. */
export interface HeldAmounts {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Of each of the GPUs; absent = all. */
  readonly gpuMilli?: number;
}

/** A GPU that is held, or a MIG instance of one. */
export interface HeldGpu {
  readonly model: string;
  /** Thousandths of a GPU that it is, if it is an instance. */
  readonly migMilli?: number | undefined;
}

/** What something that runs counts in its queue. */
export function amountsHeld(held: HeldAmounts, gpus: readonly HeldGpu[], classes: GpuClasses): Amounts {
  const { cpuMilli, memoryMib, gpuMilli } = held;
  const vector = new Map<Dimension, number>([
    ['cpuMilli', cpuMilli],
    ['memoryMib', memoryMib],
  ]);
  let sum = 0;
  for (const { model, migMilli = WHOLE_GPU } of gpus) {
    const milli = gpuMilli ?? migMilli;
    sum += milli;
    if (!classes.isOne) addTo(vector, new Map([[classes.of(model), milli]]), 1);
  }
  if (gpus.length > 0) vector.set(EVERY_GPU, sum);
  return vector;
}

/** What a placement will count. */
export function amountsPlaced({ devices, before, shape }: Placement, classes: GpuClasses): Amounts {
  const gpus = before.gpus.filter(({ id }) => devices.includes(id));
  return amountsHeld(shape, gpus, classes);
}

/** What a shape counts if it gets this choice of GPUs; a gang with all the members that it may have. */
export function amountsAsked(
  shape: Pick<Shape, 'gpus' | 'gpuMilli' | 'cpuMilli' | 'memoryMib' | 'gang'>,
  { gpuClass, milli }: Pick<ClassChoice, 'gpuClass' | 'milli'>,
): Amounts {
  const { gpus, gpuMilli = milli, cpuMilli, memoryMib } = shape;
  const members = shape.gang?.members.max ?? 1;
  const vector = new Map<Dimension, number>([
    ['cpuMilli', cpuMilli * members],
    ['memoryMib', memoryMib * members],
  ]);
  if (gpus === 0) return vector;
  vector.set(EVERY_GPU, gpus * gpuMilli * members);
  if (gpuClass !== EVERY_GPU) vector.set(gpuClass, gpus * gpuMilli * members);
  return vector;
}

/** GPUs that a shape may get which count alike, with all models of the fleet that are such and suit it. */
export interface ClassChoice {
  readonly gpuClass: Dimension;
  /** Thousandths that each counts: all, unless it is a MIG instance. */
  readonly milli: number;
  /** Lower-case. */
  readonly models: readonly string[];
}

/**
 * What a shape may get of these models; one choice where it does not matter to any queue. Instances of one
 * MIG profile are other parts of GPUs that have fewer slices, and so other choices. The largest comes first:
 * where one amount must do for a workload that waits, what is enough for it is enough for all.
 */
export function classChoices(
  shape: Pick<Shape, 'gpus' | 'gpuModels' | 'migProfile'>,
  models: GpuModels,
  classes: GpuClasses,
): readonly ClassChoice[] {
  const { gpus, gpuModels, migProfile } = shape;
  if (gpus === 0 || (classes.isOne && migProfile === undefined)) return ANY_GPU;
  const classOf = (model: string): Dimension => (classes.isOne ? EVERY_GPU : classes.of(model));
  const choices = new Map<string, { gpuClass: Dimension; milli: number; models: string[] }>();
  for (const [model, milli] of models.offering(migProfile)) {
    const name = model.toLowerCase();
    if (!suitsModel(shape, name)) continue;
    const gpuClass = classOf(model);
    const choice = choices.get(`${milli} ${gpuClass}`) ?? { gpuClass, milli, models: [] };
    choices.set(`${milli} ${gpuClass}`, choice);
    choice.models.push(name);
  }
  if (choices.size > 0) return [...choices.values()].toSorted((one, other) => other.milli - one.milli);
  // Nothing that suits it is there: it counts as what it asks for.
  const [model = ''] = gpuModels;
  const milli = migProfile === undefined ? WHOLE_GPU : migPart(migProfile, model);
  return [{ gpuClass: classOf(model), milli, models: [] }];
}

const ANY_GPU: readonly ClassChoice[] = [{ gpuClass: EVERY_GPU, milli: WHOLE_GPU, models: [] }];

function suitsModel({ gpuModels }: Pick<Shape, 'gpuModels'>, model: string): boolean {
  return gpuModels.length === 0 || gpuModels.some((wanted) => model.includes(wanted));
}

/** The shape, if it may only get GPUs of some of its choices. */
export function limitedTo(shape: Shape, allowed: readonly ClassChoice[], all: readonly ClassChoice[]): Shape {
  if (allowed.length === all.length) return shape;
  const gpuModels = allowed
    .flatMap(({ models }) => models.map((model) => `${WHOLE_NAME}${model}`))
    .toSorted();
  return { ...shape, gpuModels };
}
