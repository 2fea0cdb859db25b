import { errorCode } from '@clawbernetes/kernel';
import { invalidArguments } from '../errors.ts';
import { issuesOf } from '../report-error.ts';

/** The option that each field of a specification came from. */
const OPTIONS: Readonly<Record<string, string>> = {
  name: '--name',
  image: 'the image',
  command: 'the program',
  env: '--env',
  workingDirectory: '--workdir',
  'resources.gpus': '--gpus',
  'resources.gpuModels': '--gpu-type',
  'resources.minGpuMemoryMib': '--min-gpu-memory, in MiB',
  'resources.cpuMilli': '--cpus, in thousandths',
  'resources.memoryMib': '--memory, in MiB',
  'gang.members': '--members',
  'gang.minMembers': '--min-members',
  'gang.topology': '--topology',
  gang: '--members',
  'spread.maxSkew': '--max-skew',
  spread: '--spread-by',
  mounts: '--mount',
  nodeSelector: '--node-selector',
  tolerations: '--tolerate',
  labels: '--label',
  queue: '--queue',
  priority: '--priority',
  timeoutMs: '--timeout, in ms',
  stopGraceMs: '--stop-grace, in ms',
  restart: '--restart',
  reschedule: '--reschedule',
  replace: '--replace',
  onDisconnect: '--on-disconnect',
  exclusive: '--exclusive',
};

/** What the gateway finds wrong with a specification, in the words of whoever typed the options of it. */
export function inOptions(error: unknown): unknown {
  const issues = issuesOf(error);
  if (errorCode(error) !== 'invalid-input' || issues.length === 0) return error;
  return invalidArguments(
    issues.map(({ path, message }) => `${optionFor(path)}: ${asSentence(message)}`).join('\n'),
  );
}

function asSentence(message: string): string {
  return /[.?!]$/.test(message) ? message : `${message}.`;
}

function optionFor(path: string): string {
  const field = path.replace(/^spec\./, '');
  const known = Object.keys(OPTIONS).find((name) => field === name || field.startsWith(`${name}.`));
  if (known === undefined) return field;
  const rest = field.slice(known.length + 1);
  return `${OPTIONS[known]}${rest === '' ? '' : ` (${rest})`}`;
}
