import { CommanderError } from 'commander';
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

/** `unknown option --gpu; did you mean --gpus?` with where to read on. */
export function usageError(error: CommanderError, argv: readonly string[]): CodedError {
  const message = errorMessage(error)
    .replace(/^error: /, '')
    .replace(/unknown (option|command) '([^']*)'/, 'unknown $1 $2')
    .replace(/\n\(Did you mean one of (.*)\?\)$/, '; did you mean $1?')
    .replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?');
  const excess = error.code === 'commander.excessArguments';
  const hint =
    excess && argv.includes('-f') && argv.includes('json')
      ? FORMAT_HINT
      : `See "${helpFor(argv, error.code)}".`;
  return invalidArguments(`${message}${/[.?!]$/.test(message) ? '' : '.'}\n${hint}`);
}

const FORMAT_HINT = '-f means --follow here; write --format json.';

/** Help of the command that the words name, as far as they name one. */
function helpFor(argv: readonly string[], code: string): string {
  const words = argv.filter((word) => /^[a-z]+$/.test(word));
  const unknown = code === 'commander.unknownCommand';
  let depth = 1;
  while (GROUPS.has(words.slice(0, depth).join(' '))) depth += 1;
  return ['clawbernetes', ...words.slice(0, unknown ? depth - 1 : depth), '--help'].join(' ');
}

const GROUPS: ReadonlySet<string> = new Set([
  'node',
  'workload',
  'config',
  'ledger',
  'molt',
  'molt wallet',
  'molt stake',
  'molt escrow',
  'molt agreement',
  'molt receipt',
]);
