import { errorMessage, withTimeout, type Clock } from '@clawbernetes/kernel';
import type { NodeInventory } from '@clawbernetes/protocol';
import { Engine } from '../execution/container/engine.ts';
import { engineSockets, type EngineSocketOptions } from '../execution/container/engine-socket.ts';
import type { Owner } from '../execution/process/attempt-folder.ts';
import { Bubblewrap } from '../execution/process/bubblewrap.ts';
import type { SocketSupervisor } from '../supervisor/socket-supervisor.ts';

type ExecutorFacts = NodeInventory['executors'][number];

/** For an engine's first answer. */
const ENGINE_DEADLINE_MS = 5000;
/** For the supervisor to open its executor, with a first sandbox. */
const SUPERVISOR_DEADLINE_MS = 30_000;

export interface ExecutorFactsDeps {
  readonly clock: Clock;
  readonly supervisor: Pick<SocketSupervisor, 'limitations'>;
}

export interface ExecutorFactsOptions extends EngineSocketOptions {
  readonly allowUnsandboxed: boolean;
  /** As whom plain processes run. */
  readonly owner?: Owner;
}

/**
 * What can run here and how well. Looks for the engine itself, so that the supervisor loads an executor only
 * to use it.
 */
export async function executorFacts(
  deps: ExecutorFactsDeps,
  options: ExecutorFactsOptions,
): Promise<ExecutorFacts[]> {
  return await Promise.all([processFacts(deps, options), containerFacts(deps, options)]);
}

async function processFacts(
  { clock, supervisor }: ExecutorFactsDeps,
  { allowUnsandboxed, owner }: ExecutorFactsOptions,
): Promise<ExecutorFacts> {
  try {
    const sandbox = await Bubblewrap.open({ hidden: [], ...(owner && { owner }) });
    const message = `The supervisor did not say within ${SUPERVISOR_DEADLINE_MS / 1000} s what it can do.`;
    const asked = supervisor.limitations('process');
    const limitations = [...(await withTimeout(clock, SUPERVISOR_DEADLINE_MS, message, asked))];
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
