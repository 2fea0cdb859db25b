import type { Launch } from '../executor.ts';
import type { EngineFacts } from './engine.ts';
import { gpuRequests } from './gpu-requests.ts';

/** The smallest limit that Docker accepts; workloads may ask for 4 MiB. */
const MIN_MEMORY_BYTES = 6 * 1024 * 1024;
const BYTES_PER_MIB = 1024 * 1024;
const NANO_CPUS_PER_MILLI = 1_000_000;

/**
 * Bounds of the engine's own log of one container: 5 files of 16 MiB. It is only the buffer between container
 * and supervisor, which keeps the workload's log: it must hold what a container prints while the supervisor
 * is away.
 */
const LOG_FILE_BYTES = 16 * BYTES_PER_MIB;
const LOG_FILES = 5;

export const ATTEMPT_LABEL = 'clawbernetes.attempt';
export const OWNER_LABEL = 'clawbernetes.owner';

export interface ContainerPolicy {
  /** Marks our containers, so that leftovers are found: unique to this supervisor's data folder. */
  readonly owner: string;
  /** Runs as this user (`uid[:gid]`) instead of the image's. */
  readonly user?: string;
  /** Processes and threads of one container. */
  readonly maxProcesses: number;
}

/**
 * An attempt has one container, named after it: creating it twice is refused by the engine, which makes it
 * idempotent.
 */
export function containerName(attemptId: string): string {
  return `clawbernetes-${attemptId.replaceAll(/[^a-zA-Z0-9_.-]/g, '_')}`;
}

/**
 * The body of `POST /containers/create`.
 *
 * The root is writable: images expect it, the layer is the container's own and is deleted with it; so is its
 * /tmp. Arguments go to the image's entrypoint, as with `docker run`. There is no init process beside the
 * program: images with an init of their own need to be PID 1 (see container-stop.ts for what that means for
 * signals).
 * @throws CodedError `launch-failed` for GPUs that cannot be handed to a container.
 */
export function containerSpec(launch: Launch, facts: EngineFacts, policy: ContainerPolicy): unknown {
  const { spec } = launch;
  const gpus = gpuRequests(launch.devices, facts, launch.gpus ?? []);
  return {
    Image: spec.image,
    ...(spec.command.length > 0 ? { Cmd: spec.command } : {}),
    ...(spec.workingDirectory === undefined ? {} : { WorkingDir: spec.workingDirectory }),
    ...(policy.user === undefined ? {} : { User: policy.user }),
    Env: environment(launch, gpus.length > 0),
    Labels: { [ATTEMPT_LABEL]: launch.attemptId, [OWNER_LABEL]: policy.owner },
    Tty: false,
    OpenStdin: false,
    HostConfig: {
      NetworkMode: spec.network,
      Mounts: spec.mounts.map(({ source, target, readOnly }) => ({
        Type: 'bind',
        Source: source,
        Target: target,
        ReadOnly: readOnly,
      })),
      ...limits(launch, policy),
      DeviceRequests: gpus,
      SecurityOpt: ['no-new-privileges'],
      // Docker's default set, less what serves break-outs and spoofing and nearly no workload.
      CapDrop: ['AUDIT_WRITE', 'MKNOD', 'NET_RAW', 'SETFCAP'],
      LogConfig: logConfig(facts),
      RestartPolicy: { Name: 'no' },
    },
  };
}

function environment({ attemptId, workloadId, namespace, spec }: Launch, hasGpus: boolean): string[] {
  const values: Record<string, string> = {
    ...spec.env,
    CLAWBERNETES_ATTEMPT_ID: attemptId,
    CLAWBERNETES_WORKLOAD_ID: workloadId,
    CLAWBERNETES_NAMESPACE: namespace,
  };
  // Where NVIDIA's runtime is the engine's default, this variable alone (CUDA images set it to `all`) opens
  // every GPU. A request for devices makes the engine set it.
  delete values['NVIDIA_VISIBLE_DEVICES'];
  if (!hasGpus) values['NVIDIA_VISIBLE_DEVICES'] = 'void';
  return Object.entries(values).map(([name, value]) => `${name}=${value}`);
}

function limits({ spec }: Launch, { maxProcesses }: ContainerPolicy): Record<string, number> {
  const { cpuMilli, memoryMib } = spec.resources;
  const memory = memoryMib === undefined ? undefined : Math.max(MIN_MEMORY_BYTES, memoryMib * BYTES_PER_MIB);
  return {
    PidsLimit: maxProcesses,
    ...(cpuMilli === undefined ? {} : { NanoCpus: cpuMilli * NANO_CPUS_PER_MILLI }),
    // Equal values: no swap beyond the limit.
    ...(memory === undefined ? {} : { Memory: memory, MemorySwap: memory }),
  };
}

/**
 * Docker's `local` driver keeps bytes as they are (`json-file` replaces what is not UTF-8); Podman has its
 * own.
 */
function logConfig({ flavour }: EngineFacts): unknown {
  if (flavour === 'podman')
    return { Type: 'k8s-file', Config: { 'max-size': String(LOG_FILE_BYTES * LOG_FILES) } };
  return {
    Type: 'local',
    Config: { 'max-size': String(LOG_FILE_BYTES), 'max-file': String(LOG_FILES), compress: 'false' },
  };
}
