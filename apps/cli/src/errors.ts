import { CodedError, errorCode } from '@clawbernetes/kernel';
import type { IdentityErrorCode } from '@clawbernetes/identity';
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
  'file-unreadable': 1,
  'file-unwritable': 1,
  // The gateway keeps another ledger than the one that was named.
  'ledger-foreign': 1,
  'nothing-available': 1,
  // Of an escrow or an agreement.
  'not-a-party': 3,
  'escrow-unfit': 1,
  'wallet-exists': 1,
  // Ctrl-C at a question, as for any program that it ends.
  cancelled: 130,
} as const satisfies Record<string, 1 | 2 | 3 | 4 | 5 | 130>;

/** Exit code of each error about keys and wallets. */
const IDENTITY_EXIT_CODES: Readonly<Record<IdentityErrorCode, 1 | 3 | 4 | 5>> = {
  'invalid-join-token': 5,
  'invalid-key': 5,
  'invalid-key-name': 5,
  'invalid-path': 5,
  'invalid-phrase': 5,
  'invalid-shares': 5,
  'invalid-statement': 1,
  'key-file-exists': 1,
  'key-file-invalid': 1,
  'key-file-permissions': 1,
  'key-file-unreadable': 1,
  'keystore-absent': 4,
  'keystore-changed': 1,
  'keystore-damaged': 1,
  'keystore-exists': 1,
  'keystore-passphrase': 3,
  'keystore-permissions': 1,
  'keystore-unreadable': 1,
  'keystore-version': 1,
  'weak-passphrase': 5,
};

/**
 * What a ledger refuses ends with 1, but where it is about what was typed, who signed, or what is not there.
 */
const REFUSAL_EXIT_CODES: readonly (readonly [reason: RegExp, exitCode: 3 | 4 | 5])[] = [
  [/^(escrow|agreement|withdrawal|dispute)-not-found$/, 4],
  [/^(amount|address|id)-(malformed|zero|too-large|own)$/, 5],
  [/^(signature|signer)-/, 3],
];

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
  if (Object.hasOwn(IDENTITY_EXIT_CODES, code)) return IDENTITY_EXIT_CODES[code as IdentityErrorCode];
  if (Object.hasOwn(EXIT_CODES, code)) return EXIT_CODES[code as CliErrorCode];
  return REFUSAL_EXIT_CODES.find(([reason]) => reason.test(code))?.[1] ?? 1;
}
