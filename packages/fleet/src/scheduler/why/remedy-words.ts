import { formatDuration } from '@clawbernetes/kernel';
import type { Quota, RemedyStep } from '@clawbernetes/protocol';
import type { Shape } from '../resources.ts';
import { levelText } from '../topology/gpu-level.ts';
import { formatTime } from './reserved-words.ts';
import { cpus, mebibytes, percent } from './obstacle-words.ts';

type StepName = RemedyStep['step'];
type StepWords = (step: RemedyStep, shape: Shape) => string;

/** Each goes on in a sentence. */
const WORDS: Record<StepName, StepWords> = {
  'ask-gpus': ({ gpus = 0 }, shape) => `ask for ${gpus} instead of ${shape.gpus} GPUs (--gpus ${gpus})`,
  'ask-gpu-share': ({ gpuMilli = 0 }, shape) =>
    `ask for ${percent(gpuMilli)} instead of ${percent(shape.gpuMilli ?? 0)} of a GPU (--gpu-share ${gpuMilli}m)`,
  'ask-mig': ({ migProfile = '' }) => `ask for MIG instances ${migProfile} (--mig ${migProfile})`,
  'ask-nvlink': () => 'only prefer NVLink (--nvlink preferred)',
  'ask-model': ({ gpuModels = [] }) => {
    const options = gpuModels.map((model) => `--gpu-type ${quoted(model)}`);
    return `allow another model as well: ${gpuModels.join(', ')} (${options.join(' ')})`;
  },
  'ask-gpu-memory': ({ minGpuMemoryMib = 0 }) =>
    `ask for GPUs of ${mebibytes(minGpuMemoryMib)} (--min-gpu-memory ${minGpuMemoryMib})`,
  'ask-cpu': ({ cpuMilli = 0 }, shape) =>
    `ask for ${cpus(cpuMilli)} instead of ${cpus(shape.cpuMilli)} (--cpus ${cpuMilli / 1000})`,
  'ask-memory': ({ memoryMib = 0 }, shape) =>
    `ask for ${mebibytes(memoryMib)} instead of ${mebibytes(shape.memoryMib)} of memory (--memory ${memoryMib})`,
  'ask-label': ({ label = '' }) =>
    label === 'node' ? 'leave the choice of the node to the fleet' : `do not ask for the label ${label}`,
  'ask-affinity': ({ label = '' }) => `do not require "${label}"`,
  'ask-sandbox': () => 'do not require a sandbox (--sandbox preferred)',
  'ask-members': ({ members = 1 }, { gang }) =>
    `ask for ${members} instead of ${gang?.members.min ?? 1} members (--members ${members})`,
  'ask-topology': ({ level = '' }) =>
    `only prefer one ${levelText(level)} for all (--topology ${level}=preferred)`,
  'ask-spread': ({ label = '' }) => `only prefer to spread over ${label} (--spread-by ${label}=preferred)`,
  tolerate: ({ tolerations = [] }) => `tolerate ${tolerations.map(tolerationText).join(' and ')}`,
  uncordon: ({ node = '' }) => `let ${node} take work again`,
  untaint: ({ node = '', taints = [] }) => `remove the taint ${taints.join(', ')} from ${node}`,
  'label-node': ({ node = '', label = '', value = '' }) => `give ${node} the label ${label}=${value}`,
  'release-gpu': ({ node = '', gpuIds = [] }) =>
    gpuIds.length === 1
      ? `bring the GPU of ${node} back that is out of use`
      : `bring the ${gpuIds.length} GPUs of ${node} back that are out of use`,
  reconnect: ({ node = '' }) => `bring ${node} back into contact`,
  'raise-limit': ({ queue = '', limit = {} }) => `raise the limit of queue ${queue} to ${quotaText(limit)}`,
  'ask-timeout': ({ timeoutMs = 0 }) =>
    `give it a time limit of at most ${formatDuration(timeoutMs)} (--timeout ${timeoutMs / 60_000}m)`,
  'wait-reservation': ({ reservations = [], endsAtMs = 0 }) =>
    `wait for reservation ${reservations.join(', ')} until ${formatTime(endsAtMs)}`,
  'delete-reservation': ({ reservations = [] }) => `delete reservation ${reservations.join(' and ')}`,
  wait: ({ node, until = [] }) =>
    `wait for ${holders(until)}${node === undefined ? '' : ` on ${node}`} to end`,
};

/** `Let gpu-07 take work again, and ask for 2 instead of 4 GPUs (--gpus 2).` */
export function describeSteps(steps: readonly RemedyStep[], shape: Shape): string {
  const text = steps.map((step) => WORDS[step.step](step, shape)).join(', and ');
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** What can be typed; steps that ask for something else begin with a new request. */
export function commandsFor(steps: readonly RemedyStep[]): readonly string[] {
  return steps.flatMap(commandsOf);
}

function commandsOf({ step, node = '', ...facts }: RemedyStep): readonly string[] {
  const { label = '', value = '', taints = [], gpuIds = [] } = facts;
  if (step === 'uncordon') return [`clawbernetes node uncordon ${node}`];
  if (step === 'label-node') return [`clawbernetes node label ${node} ${quoted(`${label}=${value}`)}`];
  if (step === 'delete-reservation')
    return (facts.reservations ?? []).map((name) => `clawbernetes reservation delete ${name}`);
  if (step === 'raise-limit')
    return [`clawbernetes queue update ${facts.queue ?? ''} --limit ${quotaText(facts.limit ?? {})}`];
  if (step === 'untaint')
    return taints.map((taint) => `clawbernetes node taint ${node} ${withoutValue(taint)}-`);
  return step === 'release-gpu' ? gpuIds.map((gpu) => `clawbernetes gpu release ${node} ${gpu}`) : [];
}

/** `team:no-schedule` of `team=vision:no-schedule`: a taint is known by key and effect. */
function withoutValue(taint: string): string {
  return taint.replace(/=.*:/, ':');
}

function tolerationText({ key, value, effect }: NonNullable<RemedyStep['tolerations']>[number]): string {
  const text = `${key}${value ? `=${value}` : ''}${effect ? `:${effect}` : ''}`;
  return `${text} (--tolerate ${quoted(text)})`;
}

/** `gpus=8,h100=4`, as it is typed. */
function quotaText({ gpus, gpuModels = {}, cpuMilli, memoryMib }: Quota): string {
  const words = [
    ...(gpus === undefined ? [] : [`gpus=${gpus}`]),
    ...Object.entries(gpuModels).map(([model, amount]) => quoted(`${model}=${amount}`)),
    ...(cpuMilli === undefined ? [] : [`cpus=${cpuMilli / 1000}`]),
    ...(memoryMib === undefined ? [] : [`memory=${memoryMib}m`]),
  ];
  return words.join(',');
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Workloads that are named; the rest is counted. */
const NAMED = 3;

function holders(until: NonNullable<RemedyStep['until']>): string {
  const named = until.slice(0, NAMED).map(({ name }) => name);
  const rest = until.length - named.length;
  return rest > 0 ? `${named.join(', ')} and ${rest} more` : named.join(' and ');
}
