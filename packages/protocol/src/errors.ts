import { CodedError } from '@clawbernetes/kernel';

interface ErrorMeaning {
  /** HTTP status of the reply. */
  readonly status: number;
  /** Exit code of the CLI: 1 general, 2 unreachable, 3 authentication, 4 not found, 5 invalid arguments. */
  readonly exitCode: 1 | 2 | 3 | 4 | 5;
}

/** Every code that a command can answer, with what it means on each edge. */
const MEANINGS = {
  'invalid-input': { status: 400, exitCode: 5 },
  'unknown-command': { status: 404, exitCode: 5 },
  'command-disabled': { status: 409, exitCode: 1 },
  unauthenticated: { status: 401, exitCode: 3 },
  forbidden: { status: 403, exitCode: 3 },
  'not-found': { status: 404, exitCode: 4 },
  conflict: { status: 409, exitCode: 1 },
  'name-taken': { status: 409, exitCode: 1 },
  'not-supported': { status: 422, exitCode: 5 },
  'not-running': { status: 409, exitCode: 1 },
  'node-ambiguous': { status: 400, exitCode: 5 },
  'node-unreachable': { status: 503, exitCode: 1 },
  'too-large': { status: 413, exitCode: 5 },
  overloaded: { status: 429, exitCode: 1 },
  timeout: { status: 504, exitCode: 1 },
  'storage-full': { status: 507, exitCode: 1 },
  'storage-unavailable': { status: 503, exitCode: 1 },
  'gateway-unreachable': { status: 503, exitCode: 2 },
  aborted: { status: 499, exitCode: 1 },
  internal: { status: 500, exitCode: 1 },
} as const satisfies Record<string, ErrorMeaning>;

export type ApiErrorCode = keyof typeof MEANINGS;

export const API_ERROR_CODES = Object.keys(MEANINGS) as readonly ApiErrorCode[];

export function isApiErrorCode(code: string): code is ApiErrorCode {
  return Object.hasOwn(MEANINGS, code);
}

export function meaningOf(code: ApiErrorCode): ErrorMeaning {
  return MEANINGS[code];
}

export interface ApiErrorFacts {
  readonly code: ApiErrorCode;
  /** For `invalid-input`: what is wrong where. */
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
  readonly retryAfterMs?: number;
}

/** An error that crosses the API as `{ code, message, issues?, retryAfterMs? }`. */
export function apiError(
  code: ApiErrorCode,
  message: string,
  facts: Omit<ApiErrorFacts, 'code'> = {},
  options?: ErrorOptions,
): CodedError<ApiErrorFacts> {
  return new CodedError(message, { code, ...facts }, options);
}
