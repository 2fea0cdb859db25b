import { CodedError, errorCode } from '@clawbernetes/kernel';
import type { EndReason } from '@clawbernetes/protocol';
import type { Launch } from '../executor.ts';
import { engineWords, refusalStatus } from './engine-client.ts';

/** What an engine says of a program that is not there (runc, crun, and Docker without any command). */
const NOT_FOUND = /executable file [`'"]?.*not found|no such file or directory|no command specified/i;
const NOT_EXECUTABLE = /permission denied|exec format error|is a directory/i;
/** The part of the message that is about the program, rather than, say, a mount. */
const ABOUT_PROGRAM = /exec:? |exec format|executable file|no command specified|starting container process/i;

/** Why a container could not be created or started, as the attempt's end. */
export function startFailure({ spec }: Launch, error: unknown): CodedError<{ readonly code: EndReason }> {
  if (isLaunchFailure(error)) return error;
  const said = engineWords(error);
  const program = spec.command[0] ?? 'its default command';
  if (refusalStatus(error) === undefined) return failure('executor-unavailable', said, error);
  if (/no such image|image not known/i.test(said)) {
    return failure(
      'image-not-found',
      `The image ${spec.image} is not on this node any more. Start it again.`,
      error,
    );
  }
  if (ABOUT_PROGRAM.test(said) && NOT_FOUND.test(said)) {
    const remedy = 'Check the spelling, and that the image contains it.';
    return failure(
      'command-not-found',
      `The program ${program} was not found in ${spec.image}. ${remedy}`,
      error,
    );
  }
  if (ABOUT_PROGRAM.test(said) && NOT_EXECUTABLE.test(said)) {
    const what = `The program ${program} in ${spec.image} cannot be executed`;
    return failure(
      'command-not-executable',
      `${what} (permissions, or built for another machine): ${said}`,
      error,
    );
  }
  return failure('launch-failed', `The container of ${spec.image} could not be started: ${said}`, error);
}

function isLaunchFailure(error: unknown): error is CodedError<{ readonly code: 'launch-failed' }> {
  return errorCode(error) === 'launch-failed';
}

function failure<R extends EndReason>(
  code: R,
  message: string,
  cause: unknown,
): CodedError<{ readonly code: R }> {
  return new CodedError(message, { code }, { cause });
}
