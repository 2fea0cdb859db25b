import { CodedError, errorCode } from '@clawbernetes/kernel';
import { isApiErrorCode, meaningOf } from '@clawbernetes/protocol/errors';

/** Exit code of each error that is the CLI's own; those of the API say theirs in the protocol. */
const EXIT_CODES = {
  'invalid-arguments': 5,
  'invalid-duration': 5,
  'already-running': 1,
  'not-started': 1,
  'port-in-use': 1,
  'child-exited': 1,
  'not-ready': 1,
  'home-unusable': 1,
} as const satisfies Record<string, 1 | 2 | 3 | 4 | 5>;

export type CliErrorCode = keyof typeof EXIT_CODES;

export interface CliErrorFacts {
  readonly code: CliErrorCode;
}

export function cliError(
  code: CliErrorCode,
  message: string,
  options?: ErrorOptions,
): CodedError<CliErrorFacts> {
  return new CodedError<CliErrorFacts>(message, { code }, options);
}

export function invalidArguments(message: string): CodedError<CliErrorFacts> {
  return cliError('invalid-arguments', message);
}

/** 0 ok, 1 general, 2 gateway unreachable, 3 authentication failed, 4 not found, 5 invalid arguments. */
export function exitCodeOf(error: unknown): number {
  const code = errorCode(error) ?? 'internal';
  if (isApiErrorCode(code)) return meaningOf(code).exitCode;
  return Object.hasOwn(EXIT_CODES, code) ? EXIT_CODES[code as CliErrorCode] : 1;
}
