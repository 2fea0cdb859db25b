import { DockerEngine, dockerEngineMissing } from '@clawbernetes/node/testing';

export interface BenchEngine extends AsyncDisposable {
  readonly socketPath: string;
  readonly image: string;
  /** The same through the engine's own command. */
  dockerRun(command: readonly string[]): readonly string[];
}

/** A container engine for a benchmark, or undefined where none can be started. */
export async function openBenchEngine(): Promise<BenchEngine | undefined> {
  if (dockerEngineMissing() !== undefined) return undefined;
  const engine = await DockerEngine.open();
  const image = 'busybox:latest';
  const docker = ['docker', '-H', `unix://${engine.socketPath}`, 'run', '--rm', '--network', 'host', image];
  return {
    socketPath: engine.socketPath,
    image,
    dockerRun: (command) => [...docker, ...command],
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}
