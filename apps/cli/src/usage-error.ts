import { CommanderError, type Command } from 'commander';
import { errorMessage, type CodedError } from '@clawbernetes/kernel';
import { invalidArguments } from './errors.ts';

/** What commander throws: the end of `--help` and `--version`, or a mistake in the arguments. */
export function isCommanderError(error: unknown): error is CommanderError {
  return error instanceof CommanderError;
}

/** Help and version were printed on request. */
export function wasAnswered(error: CommanderError): boolean {
  return error.exitCode === 0;
}

/** Help was printed because a command was left out, such as in `clawbernetes node`. */
export function wasIncomplete(error: CommanderError): boolean {
  return error.code === 'commander.help';
}

/** Commands of one name that are worth a mention. */
const MAX_PLACES = 4;

/** `unknown option --gpu; did you mean --gpus?` with where to read on. */
export function usageError(error: CommanderError, argv: readonly string[], program: Command): CodedError {
  const message = errorMessage(error)
    .replace(/^error: /, '')
    .replace(/unknown (option|command) '([^']*)'/, 'unknown $1 $2')
    .replace(/\n\(Did you mean one of (.*)\?\)$/, '; did you mean $1?')
    .replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?');
  const excess = error.code === 'commander.excessArguments';
  const hint =
    excess && argv.includes('-f') && argv.includes('json')
      ? FORMAT_HINT
      : `See "${[...wordsOf(argv, program), '--help'].join(' ')}".`;
  const places = error.code === 'commander.unknownCommand' ? elsewhere(message, program) : [];
  return invalidArguments(`${sentence(message, places)}\n${hint}`);
}

const FORMAT_HINT = '-f means --follow here; write --format json.';

/** Whoever writes `logs` means `workload logs`: better than a name that only looks alike. */
function sentence(message: string, places: readonly string[]): string {
  if (places.length === 0) return /[.?!]$/.test(message) ? message : `${message}.`;
  return `${message.replace(/; did you mean .*$/, '')}; did you mean ${places.join(', or ')}?`;
}

/** Commands of groups that have the very name which the program does not know. */
function elsewhere(message: string, program: Command): readonly string[] {
  const word = /unknown command (\S+?)(?:[;.]|$)/.exec(message)?.[1];
  const places = descendants(program).filter((command) => namesOf(command).includes(word ?? ''));
  return places.length > MAX_PLACES ? [] : places.map((command) => pathOf(command).slice(1).join(' '));
}

function descendants(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}

/** The words that name a command, as far as they do; others are options and their values. */
function wordsOf(argv: readonly string[], program: Command): readonly string[] {
  const words = [program.name()];
  let command = program;
  for (const word of argv) {
    const next = command.commands.find((child) => namesOf(child).includes(word));
    if (!next) continue;
    words.push(word);
    command = next;
  }
  return words;
}

function namesOf(command: Command): readonly string[] {
  return [command.name(), ...command.aliases()];
}

function pathOf(command: Command): readonly string[] {
  return command.parent ? [...pathOf(command.parent), command.name()] : [command.name()];
}
