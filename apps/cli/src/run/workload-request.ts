import path from 'node:path';
import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import type { CliConfig } from '../config.ts';
import { invalidArguments } from '../errors.ts';
import { isLoopback } from '../find-gateway.ts';
import { shellWords } from '../output/phrases.ts';
import { readEnvironment } from './environment.ts';
import { gangRequest } from './gang-request.ts';
import type { RunOptions } from './run-options.ts';

export interface RunRequest {
  readonly operands: readonly string[];
  readonly options: RunOptions;
  readonly gatewayUrl: string;
}

type Toleration = NonNullable<WorkloadSpecInput['tolerations']>[number];

/** Label of each node that is its name; the gateway keeps it. */
const NODE_LABEL = 'node';

/** What the arguments of `run` ask for. The gateway checks it as a whole. */
export async function workloadRequest(
  config: Pick<CliConfig, 'cwd' | 'env' | 'afterDashes'>,
  request: RunRequest,
): Promise<WorkloadSpecInput> {
  const { options } = request;
  const [image] = request.operands;
  const command = [...(config.afterDashes ?? [])];
  if (image === undefined && command.length === 0) {
    throw invalidArguments('What to run is missing; write: clawbernetes run -- <program> [arguments…]');
  }
  const selector = {
    ...options.nodeSelector,
    ...(options.node === undefined ? {} : { [NODE_LABEL]: options.node }),
  };
  const env = await readEnvironment({ pairs: options.env ?? [], file: options.envFile, caller: config.env });
  return withoutUndefined({
    name: options.name,
    image,
    command,
    env,
    workingDirectory: workingDirectory(config.cwd, request),
    resources: withoutUndefined({
      gpus: gpuCount(options),
      gpuMilli: options.gpuShare,
      migProfile: options.mig,
      nvlink: options.nvlink,
      gpuModels: options.gpuType && [...options.gpuType],
      minGpuMemoryMib: options.minGpuMemory,
      cpuMilli: options.cpus,
      memoryMib: options.memory,
    }),
    sandbox: options.sandbox,
    network: options.network,
    mounts: options.mount?.map((text) => parseMount(text, config.cwd)),
    nodeSelector: Object.keys(selector).length > 0 ? selector : undefined,
    tolerations: options.tolerate?.map((text) => parseToleration(text)),
    ...gangRequest(options),
    labels: options.label,
    queue: options.queue,
    priority: options.priority,
    timeoutMs: options.timeout,
    stopGraceMs: options.stopGrace,
    ...retryPolicies(options),
    onDisconnect: options.onDisconnect,
    exclusive: options.exclusive,
  });
}

/** Who says which kind of GPU, and not how many, means one. */
function gpuCount({ gpus, gpuShare, gpuType, minGpuMemory, mig }: RunOptions): number | undefined {
  if (gpus !== undefined || gpuShare !== undefined) return gpus;
  return gpuType || minGpuMemory || mig !== undefined ? 1 : undefined;
}

type RetryPolicies = Pick<WorkloadSpecInput, 'restart' | 'reschedule' | 'replace'>;

/** The delays are those of all three; who wants them to differ asks the API. */
function retryPolicies(options: RunOptions): RetryPolicies {
  const { restart, restartOn, reschedule, replace, retryDelay, retryMaxDelay } = options;
  const asked = [restart, reschedule, replace].some((attempts) => attempts !== undefined);
  if (!asked && retryDelay === undefined && retryMaxDelay === undefined && restartOn === undefined) return {};
  if (!asked || (restart === undefined && restartOn !== undefined))
    throw invalidArguments('Say how often: --restart, --reschedule or --replace with a number.');
  const delays = withoutUndefined({ delayMs: retryDelay, maxDelayMs: retryMaxDelay });
  const policy = (attempts: number | undefined) =>
    attempts === undefined ? undefined : { attempts, ...delays };
  return withoutUndefined({
    restart:
      restart === undefined ? undefined : withoutUndefined({ attempts: restart, ...delays, on: restartOn }),
    reschedule: policy(reschedule),
    replace: policy(replace),
  });
}

/** `team`, `team=vision`, `team=vision:no-execute`. The gateway checks the words. */
function parseToleration(text: string): Toleration {
  const [, key = text, , value, , effect] = /^([^=:]+)(=([^:]*))?(:(.+))?$/.exec(text) ?? [];
  // An effect that is not one is told by the gateway, with those that there are.
  return withoutUndefined({ key, value, effect: effect as Toleration['effect'] });
}

/** `run python3 train.py` could mean either; a guess would run the wrong thing. */
export function refuseAmbiguousProgram(operands: readonly string[]): void {
  if (operands.length < 2) return;
  const all = shellWords(operands);
  const [image = '', ...rest] = operands;
  throw invalidArguments(
    `Put "--" before the program: "clawbernetes run -- ${all}" runs it as a process, ` +
      `"clawbernetes run ${shellWords([image])} -- ${shellWords(rest)}" in the container image ${image}.`,
  );
}

/**
 * On this machine a process starts in the caller's folder, so that `python3 train.py` finds its file;
 * elsewhere that
 * folder means nothing, and an image has a folder of its own.
 */
function workingDirectory(cwd: string, { operands, options, gatewayUrl }: RunRequest): string | undefined {
  if (options.workdir !== undefined)
    return path.isAbsolute(options.workdir) ? options.workdir : path.join(cwd, options.workdir);
  return operands.length === 0 && isLoopback(gatewayUrl) ? cwd : undefined;
}

function parseMount(text: string, cwd: string): { source: string; target: string; readOnly: boolean } {
  const [source = '', target = source, mode = 'ro', ...more] = text.split(':');
  if (source === '' || more.length > 0 || (mode !== 'rw' && mode !== 'ro')) {
    throw invalidArguments(
      `"${text}" is not a mount; write source:target, or source:target:rw to let it be written.`,
    );
  }
  return { source: path.resolve(cwd, source), target: path.resolve('/', target), readOnly: mode === 'ro' };
}

/** Leaves out what was not asked for, so that the defaults of the specification apply. */
function withoutUndefined<T extends object>(fields: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [Key in keyof T]: Exclude<T[Key], undefined> };
}
