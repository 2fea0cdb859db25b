import { CodedError } from '@clawbernetes/kernel';

export interface EngineSocketOptions {
  /** From the node's configuration; wins over everything else. */
  readonly socketPath?: string;
  /** `DOCKER_HOST` and `XDG_RUNTIME_DIR` are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Where a container engine may listen, in the order to try. A socket that somebody named is the only one:
 * falling back to another engine would run work where nobody looks for it.
 * @throws CodedError `executor-unavailable` when `DOCKER_HOST` names something else than a unix socket.
 */
export function engineSockets({ socketPath, environment }: EngineSocketOptions): readonly string[] {
  if (socketPath !== undefined) return [withoutScheme(socketPath)];
  const dockerHost = environment['DOCKER_HOST'];
  if (dockerHost !== undefined && dockerHost !== '') return [fromDockerHost(dockerHost)];
  const runtimeFolder = environment['XDG_RUNTIME_DIR'];
  const ofUser =
    runtimeFolder === undefined
      ? []
      : [`${runtimeFolder}/docker.sock`, `${runtimeFolder}/podman/podman.sock`];
  return ['/var/run/docker.sock', ...ofUser, '/run/podman/podman.sock'];
}

function fromDockerHost(dockerHost: string): string {
  if (dockerHost.startsWith('unix://')) return withoutScheme(dockerHost);
  throw new CodedError(
    `DOCKER_HOST is "${dockerHost}", but containers are only run through an engine on this machine. ` +
      'Set it to unix:///path/to/docker.sock or unset it.',
    { code: 'executor-unavailable' },
  );
}

function withoutScheme(address: string): string {
  return address.replace(/^unix:\/\//, '');
}
