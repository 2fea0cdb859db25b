import { addTo, type Amounts, type Dimension } from './amounts.ts';
import type { Placement } from '../placement.ts';
import type { Shape } from '../resources.ts';
import { EVERY_GPU, type GpuClasses } from './gpu-classes.ts';

const WHOLE_GPU = 1000;

/** What is held of a node's resources. */
export interface HeldAmounts {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Of each of the GPUs; absent = all. */
  readonly gpuMilli?: number;
}

/** What something that runs counts in its queue. @param models those of its GPUs. */
export function amountsHeld(held: HeldAmounts, models: readonly string[], classes: GpuClasses): Amounts {
  const { cpuMilli, memoryMib, gpuMilli = WHOLE_GPU } = held;
  const vector = new Map<Dimension, number>([
    ['cpuMilli', cpuMilli],
    ['memoryMib', memoryMib],
  ]);
  if (models.length > 0) vector.set(EVERY_GPU, gpuMilli * models.length);
  if (classes.isOne) return vector;
  for (const model of models) addTo(vector, new Map([[classes.of(model), gpuMilli]]), 1);
  return vector;
}

/** What a placement will count. */
export function amountsPlaced({ devices, before, shape }: Placement, classes: GpuClasses): Amounts {
  const models = before.gpus.filter(({ id }) => devices.includes(id)).map(({ model }) => model);
  return amountsHeld(shape, models, classes);
}

/** What a shape counts if all its GPUs are of one class; a gang with all the members that it may have. */
export function amountsAsked(
  shape: Pick<Shape, 'gpus' | 'gpuMilli' | 'cpuMilli' | 'memoryMib' | 'gang'>,
  gpuClass: Dimension,
): Amounts {
  const { gpus, gpuMilli = WHOLE_GPU, cpuMilli, memoryMib } = shape;
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

/** A class of GPUs that a shape may get, with all models of the fleet that are of it and suit the shape. */
export interface ClassChoice {
  readonly gpuClass: Dimension;
  /** Lower-case. */
  readonly models: readonly string[];
}

/** What a shape may get of these models; one choice where it does not matter to any queue. */
export function classChoices(
  shape: Pick<Shape, 'gpus' | 'gpuModels'>,
  models: Iterable<string>,
  classes: GpuClasses,
): readonly ClassChoice[] {
  if (classes.isOne || shape.gpus === 0) return [{ gpuClass: EVERY_GPU, models: [] }];
  const suitable = [...models].filter((model) => suitsModel(shape, model.toLowerCase()));
  const choices = [...Map.groupBy(suitable, (model) => classes.of(model))].map(([gpuClass, of]) => ({
    gpuClass,
    models: of.map((model) => model.toLowerCase()),
  }));
  // Nothing that suits it is there: it counts as what it asks for.
  return choices.length > 0 ? choices : [{ gpuClass: classes.of(shape.gpuModels[0] ?? ''), models: [] }];
}

function suitsModel({ gpuModels }: Pick<Shape, 'gpuModels'>, model: string): boolean {
  return gpuModels.length === 0 || gpuModels.some((wanted) => model.includes(wanted));
}

/** The shape, if it may only get GPUs of some of its choices. */
export function limitedTo(shape: Shape, allowed: readonly ClassChoice[], all: readonly ClassChoice[]): Shape {
  if (allowed.length === all.length) return shape;
  const refused = all.filter((choice) => !allowed.includes(choice)).flatMap(({ models }) => models);
  // A model is asked for by a part of its name, which must not be a part of one that is refused.
  const gpuModels = allowed
    .flatMap(({ models }) => models)
    .filter((model) => !refused.some((other) => other.includes(model)))
    .toSorted();
  return { ...shape, gpuModels };
}
