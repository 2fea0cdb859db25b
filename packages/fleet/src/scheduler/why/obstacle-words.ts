import { formatBytes } from '@clawbernetes/kernel';
import type { Obstacle, ObstacleCode } from '@clawbernetes/protocol';
import type { Shape } from '../resources.ts';

type Words = (shape: Shape, obstacle: Obstacle) => string;

interface Phrase {
  /** Goes on from `2 nodes` or `2`; `s` marks what a single one says differently. */
  readonly some: Words;
  /** Goes on from the name of one node. */
  readonly one: Words;
}

const PHRASES: Record<ObstacleCode, Phrase> = {
  'other-node': {
    some: (_, { what }) => `are not the node ${what} that it asks for`,
    one: (_, { what }) => `is not the node ${what} that it asks for`,
  },
  label: {
    some: (_, { what }) => (what ? `lack the label ${what}` : 'lack a label that it asks for'),
    one: (_, { what }) => `lacks the label ${what}`,
  },
  affinity: {
    some: (_, { what }) => (what ? `do not meet its affinity "${what}"` : 'do not meet its affinity'),
    one: (_, { what }) => `does not meet its affinity "${what}"`,
  },
  executor: { some: (shape) => `have ${noExecutor(shape)}`, one: (shape) => `has ${noExecutor(shape)}` },
  sandbox: {
    some: () => 'cannot sandbox processes, which it requires',
    one: () => 'cannot sandbox processes, which it requires',
  },
  cpu: {
    some: ({ cpuMilli }) => `have fewer than ${cpus(cpuMilli)}`,
    one: ({ cpuMilli }, { has }) => `has only ${cpus(has)} of the ${cpus(cpuMilli)} that it needs`,
  },
  memory: {
    some: ({ memoryMib }) => `have less than ${mebibytes(memoryMib)} of memory`,
    one: ({ memoryMib }, { has }) =>
      `has only ${mebibytes(has)} of the ${mebibytes(memoryMib)} of memory that it needs`,
  },
  'gpu-count': {
    some: ({ gpus }) => (gpus === 1 ? 'have no GPU' : `have fewer than ${gpus} GPUs`),
    one: ({ gpus }, { has = 0 }) =>
      has === 0 ? 'has no GPU' : `has only ${has} of the ${gpus} GPUs it needs`,
  },
  'gpu-model': {
    some: (shape) => `have ${shape.gpus === 1 ? 'no' : 'too few'} ${wantedGpus(shape)}`,
    one: (shape, { has = 0 }) =>
      has === 0
        ? `has no ${wantedGpus(shape)}`
        : `has only ${has} of the ${shape.gpus} × ${wantedGpus(shape)} it needs`,
  },
  'mig-profile': {
    some: ({ gpus }, { what }) => `have ${gpus === 1 ? 'no MIG instance' : 'too few MIG instances'} ${what}`,
    one: ({ gpus }, { what, has = 0 }) =>
      has === 0
        ? `has no MIG instance ${what}`
        : `has only ${has} of the ${gpus} MIG instances ${what} it needs`,
  },
  nvlink: {
    some: ({ gpus }) => `have no ${gpus} GPUs that are joined by NVLink`,
    one: ({ gpus }, { has }) => `has no ${gpus} GPUs that are joined by NVLink${atMost(has)}`,
  },
  'gpus-apart': {
    some: ({ gpus }, { what }) => `have no ${what} of ${gpus} such GPUs`,
    one: ({ gpus }, { what, has = 0 }) => `has only ${has} of the ${gpus} GPUs it needs on one ${what}`,
  },
  'gpu-health': {
    some: () => 'have too few GPUs in working order',
    one: ({ gpus }, { has }) => `has only ${has} of the ${gpus} GPUs it needs in working order`,
  },
  taint: {
    some: (_, { what }) => `have ${what ? `the taint ${what}, which` : 'a taint that'} it does not tolerate`,
    one: (_, { what }) => `has the taint ${what}, which it does not tolerate`,
  },
  cordoned: { some: () => 'are cordoned', one: () => 'is cordoned' },
  draining: {
    some: (_, { what = 'draining or drained' }) => `are ${what}`,
    one: (_, { what }) => `is ${what}`,
  },
  unreachable: { some: (_, { what = 'out of reach' }) => `are ${what}`, one: (_, { what }) => `is ${what}` },
  'not-ready': { some: (_, { what = 'not ready' }) => `are ${what}`, one: (_, { what }) => `is ${what}` },
  reserved: {
    some: (_, { what = 'reservations' }) => `are held by ${what}`,
    one: (_, { what }) => `is held by ${what}`,
  },
  'gpus-in-use': {
    some: ({ gpus }) => (gpus === 1 ? 'have no free GPU' : 'have too few free GPUs'),
    one: ({ gpus }, { has = 0 }) =>
      has === 0 ? 'has no suitable GPU free' : `has only ${has} of the ${gpus} GPUs it needs free`,
  },
  'gpu-share-in-use': {
    some: (shape) => `have no GPU of which ${share(shape)} is free`,
    one: (shape, { has = 0 }) =>
      `has no GPU of which ${share(shape)} is free; the most is ${percent(has)} of one`,
  },
  'nvlink-in-use': {
    some: ({ gpus }) => `have no ${gpus} free GPUs that are joined by NVLink`,
    one: ({ gpus }, { has }) => `has no ${gpus} free GPUs that are joined by NVLink${atMost(has)}`,
  },
  'gpus-apart-in-use': {
    some: ({ gpus }, { what }) => `have no ${what} with ${gpus} free GPUs`,
    one: ({ gpus }, { what, has = 0 }) => `has only ${has} of the ${gpus} GPUs it needs free on one ${what}`,
  },
  'cpu-in-use': {
    some: () => 'have too little free CPU',
    one: ({ cpuMilli }, { has }) => `has only ${cpus(has)} of the ${cpus(cpuMilli)} it needs free`,
  },
  'memory-in-use': {
    some: () => 'have too little free memory',
    one: ({ memoryMib }, { has }) =>
      `has only ${mebibytes(has)} of the ${mebibytes(memoryMib)} of memory it needs free`,
  },
};

/** `7 have too few free GPUs`. */
export function describeCount(shape: Shape, obstacle: Obstacle, nodes: number): string {
  const phrase = PHRASES[obstacle.code];
  return `${nodes} ${nodes === 1 ? singular(phrase.some(shape, obstacle)) : phrase.some(shape, obstacle)}`;
}

/** `gpu-07 is cordoned and lacks the label zone=eu`. */
export function describeNode(shape: Shape, name: string, obstacles: readonly Obstacle[]): string {
  return `${name} ${obstacles.map((obstacle) => PHRASES[obstacle.code].one(shape, obstacle)).join(' and ')}`;
}

const SINGULAR: Readonly<Record<string, string>> = { have: 'has', are: 'is', lack: 'lacks', do: 'does' };

function singular(words: string): string {
  return words.replace(/^\w+/, (verb) => SINGULAR[verb] ?? verb);
}

function noExecutor({ executor }: Shape): string {
  return executor === 'container' ? 'no container engine' : 'no way to run plain processes';
}

function atMost(gpus = 0): string {
  return gpus > 1 ? `; at most ${gpus} are` : '';
}

/** `25 %`: of a GPU. */
export function percent(milli: number): string {
  return `${milli / 10} %`;
}

function share({ gpuMilli = 0 }: Shape): string {
  return percent(gpuMilli);
}

/** `H100 or A100 with 40 GiB each`, `MIG 1g.10gb of H100`. */
export function wantedGpus({ gpuModels, minGpuMemoryMib, migProfile }: Shape): string {
  const models = gpuModels.join(' or ').toUpperCase();
  const whole = gpuModels.length > 0 ? models : 'GPU';
  const instance = `MIG ${migProfile}${gpuModels.length > 0 ? ` of ${models}` : ''}`;
  const model = migProfile === undefined ? whole : instance;
  return minGpuMemoryMib > 0 ? `${model} with ${mebibytes(minGpuMemoryMib)} each` : model;
}

export function cpus(milli = 0): string {
  return `${milli / 1000} ${milli === 1000 ? 'CPU' : 'CPUs'}`;
}

export function mebibytes(mib = 0): string {
  return formatBytes(mib * 2 ** 20);
}
