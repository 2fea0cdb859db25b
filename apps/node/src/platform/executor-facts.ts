import { errorMessage, type Clock } from '@clawbernetes/kernel';
import type { NodeInventory } from '@clawbernetes/protocol';
import { Engine } from '../execution/container/engine.ts';
import { engineSockets, type EngineSocketOptions } from '../execution/container/engine-socket.ts';
import { Bubblewrap } from '../execution/process/bubblewrap.ts';
import type { SocketSupervisor } from '../supervisor/socket-supervisor.ts';

type ExecutorFacts = NodeInventory['executors'][number];

/** For an engine's first answer. */
const ENGINE_DEADLINE_MS = 5000;

export interface ExecutorFactsDeps {
  readonly clock: Clock;
  readonly supervisor: Pick<SocketSupervisor, 'limitations'>;
}

/**
 * What can run here and how well. Looks for the engine itself, so that the supervisor loads an executor only
 * to use it.
 */
export async function executorFacts(
  deps: ExecutorFactsDeps,
  options: EngineSocketOptions & { readonly allowUnsandboxed: boolean },
): Promise<ExecutorFacts[]> {
  return await Promise.all([processFacts(deps, options.allowUnsandboxed), containerFacts(deps, options)]);
}

async function processFacts(
  { supervisor }: ExecutorFactsDeps,
  allowUnsandboxed: boolean,
): Promise<ExecutorFacts> {
  try {
    const sandbox = await Bubblewrap.open({ hidden: [] });
    const limitations = [...(await supervisor.limitations('process'))];
    const sandboxed = typeof sandbox !== 'string';
    return {
      kind: 'process',
      available: sandboxed || allowUnsandboxed,
      sandbox: sandboxed ? 'bubblewrap' : 'none',
      limitations,
    };
  } catch (error) {
    return { kind: 'process', available: false, sandbox: 'none', limitations: [errorMessage(error)] };
  }
}

async function containerFacts(
  { clock }: ExecutorFactsDeps,
  options: EngineSocketOptions,
): Promise<ExecutorFacts> {
  const failures: string[] = [];
  try {
    for (const socketPath of engineSockets(options)) {
      try {
        const { facts } = await Engine.open({ clock }, { socketPath, timeoutMs: ENGINE_DEADLINE_MS });
        return {
          kind: 'container',
          available: true,
          sandbox: facts.name,
          limitations: [...facts.limitations],
        };
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
  } catch (error) {
    failures.push(errorMessage(error));
  }
  return { kind: 'container', available: false, sandbox: 'none', limitations: failures };
}
