import type { Command } from 'commander';

export interface CompletionWord {
  readonly word: string;
  readonly description: string;
}

/** What may follow a path of commands such as `node info`. */
export interface CommandWords {
  /** Names joined by a blank; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly CompletionWord[];
  readonly options: readonly CompletionWord[];
}

export function commandWords(program: Command): readonly CommandWords[] {
  const all: CommandWords[] = [];
  const visit = (command: Command, path: readonly string[]): void => {
    const help = command.createHelp();
    all.push({
      path: path.join(' '),
      commands: command.commands.map((child) => ({ word: child.name(), description: child.description() })),
      options: help
        .visibleOptions(command)
        .flatMap(({ long, short, description }) =>
          [long, short].flatMap((word) => (word === undefined ? [] : [{ word, description }])),
        ),
    });
    for (const child of command.commands) visit(child, [...path, child.name()]);
  };
  visit(program, []);
  return all;
}
