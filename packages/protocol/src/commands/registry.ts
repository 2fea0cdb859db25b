import type { z } from 'zod';
import { configCommands } from './config-commands.ts';
import { fleetCommands } from './fleet-commands.ts';
import { ledgerCommands } from './ledger-commands.ts';
import { moltCommands } from './molt-commands.ts';
import { ownedCommands } from './owned-commands.ts';
import { queueCommands } from './queue-commands.ts';
import { reservationCommands } from './reservation-commands.ts';
import { systemCommands } from './system-commands.ts';
import { whyCommands } from './why-commands.ts';
import { workloadCommands } from './workload-commands.ts';

/** Every command there is, by name. */
export const commands = {
  ...systemCommands,
  ...workloadCommands,
  ...configCommands,
  ...fleetCommands,
  ...whyCommands,
  ...queueCommands,
  ...reservationCommands,
  ...ledgerCommands,
  ...moltCommands,
  ...ownedCommands,
} as const;

export type CommandName = keyof typeof commands;
/** What a caller writes: defaults may be left out. */
export type CommandInput<Name extends CommandName> = z.input<(typeof commands)[Name]['input']>;
/** What a handler gets: parsed, defaults filled in. */
export type CommandRequest<Name extends CommandName> = z.output<(typeof commands)[Name]['input']>;
export type CommandOutput<Name extends CommandName> = z.output<(typeof commands)[Name]['output']>;

export const COMMAND_NAMES = Object.keys(commands) as readonly CommandName[];

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}
