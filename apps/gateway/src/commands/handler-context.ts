import type { Clock, Random } from '@clawbernetes/kernel';
import type { Fleet } from '@clawbernetes/fleet';
import type { KeyPair } from '@clawbernetes/identity';
import type { CommandName, CommandOutput, CommandRequest } from '@clawbernetes/protocol';
import type { Changes } from '../changes.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import type { WorkloadLogs } from '../logs/workload-logs.ts';
import type { NodeSessions } from '../sessions/node-sessions.ts';
import type { SettlementSource } from '../settlement/settlement-keeper.ts';

/** On whose behalf a command runs. */
export interface CommandContext {
  readonly principal: string;
  readonly namespace: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

export interface HandlerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly key: KeyPair;
  readonly fleet: Fleet;
  readonly logs: WorkloadLogs;
  readonly changes: Changes;
  readonly sessions: NodeSessions;
  readonly options: GatewayOptions;
  readonly storage: string;
  readonly writerTerm: number;
  readonly startedAtMs: number;
  readonly settlement?: SettlementSource;
}

export type Handler<Name extends CommandName> = (
  request: CommandRequest<Name>,
  context: CommandContext,
) => Promise<CommandOutput<Name>> | CommandOutput<Name>;

/** A handler for each of these commands: one left out does not compile. */
export type Handlers<Names extends CommandName> = { readonly [Name in Names]: Handler<Name> };
