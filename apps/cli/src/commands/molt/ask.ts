import type { Context } from '../../context.ts';
import { cliError, invalidArguments } from '../../errors.ts';

/** What is wrong with an answer, or undefined. */
export type Check = (answer: string) => string | undefined;

/**
 * Asks for a secret at the terminal, masked, on stderr: stdout is for answers. `instead` says what to use
 * where there is no terminal.
 */
export async function askSecret(
  { terminal }: Context,
  message: string,
  { check, instead }: { readonly check?: Check; readonly instead: string },
): Promise<string> {
  const { stdin, stderr } = terminal;
  if (!stdin.isTTY || !stderr.isTTY) {
    throw invalidArguments(`There is no terminal to ask at. Use ${instead}.`);
  }
  // Loaded here: most commands ask nothing.
  const { isCancel, password } = await import('@clack/prompts');
  const answer = await password({
    message,
    input: stdin,
    output: stderr,
    validate: (given = '') => check?.(given),
    clearOnError: true,
  });
  if (isCancel(answer)) throw cliError('cancelled', 'Cancelled; nothing was changed.');
  return answer;
}

/** Asks before something is moved that does not come back. @throws CodedError `cancelled`. */
export async function askYes({ terminal }: Context, message: string): Promise<void> {
  const { stdin, stderr } = terminal;
  if (!stdin.isTTY || !stderr.isTTY) {
    throw invalidArguments('There is no terminal to confirm at. Add --yes if that is what you want.');
  }
  const { confirm, isCancel } = await import('@clack/prompts');
  const answer = await confirm({ message, input: stdin, output: stderr, initialValue: false });
  if (isCancel(answer) || !answer) throw cliError('cancelled', 'Cancelled; nothing was moved.');
}
