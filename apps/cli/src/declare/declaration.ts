import { Option, type Command } from 'commander';
import type { CliConfig } from '../config.ts';
import { openContext, type Context, type ContextDeps, type GlobalOptions } from '../context.ts';
import { invalidArguments } from '../errors.ts';
import { oneOf } from './option-values.ts';

export interface Call<Options = unknown> {
  readonly context: Context;
  readonly operands: readonly string[];
  readonly options: Options;
}

/** Carries out a command; answers the exit code if it is not 0. */
export type Action<Options> = (call: Call<Options>) => Promise<number | void>;

export interface Declaration<Options> {
  /** Name and operands, such as `info <node>`. */
  readonly usage: string;
  /** Another name, which people try who know it from elsewhere. */
  readonly alias?: string;
  readonly summary: string;
  readonly options?: readonly Option[];
  readonly examples: readonly string[];
  /** Loads the code only when the command is used: the others then cost nothing at the start. */
  readonly load: () => Promise<Action<Options>>;
  /** Takes what follows `--`: a program with its arguments. */
  readonly takesProgram?: boolean;
  /** `-f` means something else here, so only `--format` is left. */
  readonly followsWithF?: boolean;
  /** What it writes, instead of a table or JSON; the first is the default. */
  readonly formats?: readonly string[];
}

/** What a declared command needs when it runs. */
export interface Runtime {
  readonly deps: ContextDeps;
  readonly config: CliConfig;
  finish(exitCode: number): void;
}

export function declare<Options>(parent: Command, runtime: Runtime, declaration: Declaration<Options>): void {
  const command = parent.command(declaration.usage).description(declaration.summary);
  if (declaration.alias !== undefined) command.alias(declaration.alias);
  for (const option of declaration.options ?? []) command.addOption(option);
  addGlobalOptions(command, declaration);
  addExamples(command, declaration.examples);
  if (declaration.takesProgram)
    command.allowExcessArguments().usage(`${command.usage()} -- <program> [arguments…]`);
  command.action(async () => {
    if (runtime.config.afterDashes && !declaration.takesProgram) {
      throw invalidArguments(`"${commandPath(command)}" takes nothing after "--".`);
    }
    // Options were declared above with parsers that make exactly this type.
    const options = command.optsWithGlobals<Options & GlobalOptions>();
    const context = openContext(runtime.deps, runtime.config, options);
    const action = await declaration.load();
    runtime.finish((await action({ context, operands: command.args, options })) ?? 0);
  });
}

/** A command that only has commands below it. */
export function declareGroup(parent: Command, name: string, summary: string): Command {
  const group = parent.command(name).description(summary);
  addGlobalOptions(group);
  return group;
}

export function addGlobalOptions(
  command: Command,
  { followsWithF = false, formats }: Pick<Declaration<unknown>, 'followsWithF' | 'formats'> = {},
): void {
  const flags = followsWithF ? '--format <format>' : '-f, --format <format>';
  const says = formats
    ? `${formats.join(' or ')} (default: ${formats[0]})`
    : 'table for people, json for programs';
  command
    .addOption(new Option(flags, says).argParser(oneOf(...(formats ?? ['table', 'json']))))
    .addOption(new Option('-g, --gateway <url>', 'gateway to talk to (env: CLAWBERNETES_GATEWAY)'))
    .addOption(new Option('--no-color', 'no colours (env: NO_COLOR)'));
}

export function addExamples(command: Command, examples: readonly string[]): void {
  const [first] = examples;
  if (first === undefined) return;
  command.addHelpText(
    'after',
    `\nExamples:\n${examples.map((example) => `  $ clawbernetes ${example}`).join('\n')}`,
  );
}

/** `clawbernetes node info`. */
export function commandPath(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}
