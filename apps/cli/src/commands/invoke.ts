import { text } from 'node:stream/consumers';
import { errorMessage, nearest } from '@clawbernetes/kernel';
import type { CommandInput, CommandName } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { invalidArguments } from '../errors.ts';
import { renderTable } from '../output/table.ts';

export async function invokeCommand({ context, operands: [name, input], options }: Call): Promise<void> {
  const { COMMAND_NAMES, isCommandName } = await import('@clawbernetes/protocol');
  if ((options as { readonly list?: boolean }).list) return listCommands(context);
  if (name === undefined) {
    throw invalidArguments(
      'Which command? Write: clawbernetes invoke <command> [json]; "invoke --list" shows them.',
    );
  }
  if (!isCommandName(name)) {
    const near = nearest(name, COMMAND_NAMES);
    throw invalidArguments(
      `There is no command "${name}"${near ? `; did you mean ${near}?` : '.'} "clawbernetes invoke --list" shows all.`,
    );
  }
  const value = parseInput(input === '-' ? await text(context.terminal.stdin) : (input ?? '{}'));
  const client = await context.client();
  // The gateway checks the input with the command's schema and says what is wrong where.
  const output = await client.command(name, value as CommandInput<CommandName>);
  await context.print(output, () => JSON.stringify(output, undefined, 2));
}

function parseInput(json: string): unknown {
  try {
    return JSON.parse(json.trim() === '' ? '{}' : json) as unknown;
  } catch (error) {
    throw invalidArguments(
      `The input is not JSON: ${errorMessage(error)}. In a shell, put it in single quotes.`,
    );
  }
}

async function listCommands(context: Context): Promise<void> {
  const { commands } = await import('@clawbernetes/protocol');
  const list = Object.entries(commands).map(([name, { tier, target, summary }]) => ({
    name,
    tier,
    target,
    summary,
  }));
  await context.print({ commands: list }, () =>
    renderTable(
      ['COMMAND', 'TIER', 'ANSWERED BY', 'WHAT IT DOES'],
      list.map(({ name, tier, target, summary }) => [name, tier, target, summary]),
      { columns: context.columns, wrap: true },
    ),
  );
}
