import type { Clock } from '@clawbernetes/kernel';
import { commands, type CommandName, type CommandOutput, type NodeInventory } from '@clawbernetes/protocol';
import { z } from 'zod';
import type { Hardware } from '../../host.ts';
import type { Supervisor } from '../../supervisor/supervisor.ts';
import type { AttemptBook } from '../attempt-book.ts';

/** The commands of the registry that a node answers. */
export const NODE_COMMAND_NAMES = [
  'system.info',
  'gpu.metrics',
  'node.capabilities',
  'node.health',
  'workload.stats',
  'container.exec',
] as const satisfies readonly CommandName[];
export type NodeCommandName = (typeof NODE_COMMAND_NAMES)[number];

export function isNodeCommandName(name: string): name is NodeCommandName {
  return (NODE_COMMAND_NAMES as readonly string[]).includes(name);
}

/**
 * What the gateway sends: the caller's parameters, and for commands about a workload the attempt that it
 * resolved the workload to, since only the gateway knows which attempt of it is the present one.
 */
const resolvedAttempt = { attemptId: z.string().min(1).max(128) };
export const nodeCommandInputs = {
  'system.info': commands['system.info'].input,
  'gpu.metrics': commands['gpu.metrics'].input,
  'node.capabilities': commands['node.capabilities'].input,
  'node.health': commands['node.health'].input,
  'workload.stats': commands['workload.stats'].input.extend(resolvedAttempt),
  'container.exec': commands['container.exec'].input.extend(resolvedAttempt),
} as const satisfies Record<NodeCommandName, z.ZodType>;

export type NodeCommandRequest<Name extends NodeCommandName> = z.output<(typeof nodeCommandInputs)[Name]>;

/** What the handlers need to know of the node that they run on. */
export interface NodeFacts {
  readonly name: string;
  readonly agentVersion: string;
  readonly memoryAlertPercent: number;
  readonly enabled: readonly NodeCommandName[];
  readonly disabled: readonly { readonly name: NodeCommandName; readonly reason: string }[];
}

export interface CommandContext {
  readonly clock: Clock;
  readonly hardware: Hardware;
  readonly supervisor: Supervisor;
  readonly book: AttemptBook;
  readonly facts: NodeFacts;
  /** As last detected. */
  readonly inventory: () => NodeInventory;
  /** Probes again, and tells the gateway if something changed. */
  readonly detect: () => Promise<NodeInventory>;
}

export type NodeCommandHandler<Name extends NodeCommandName> = (
  request: NodeCommandRequest<Name>,
  context: CommandContext,
  options: { readonly signal: AbortSignal },
) => Promise<CommandOutput<Name>>;
