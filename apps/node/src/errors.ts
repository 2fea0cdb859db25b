import { CodedError } from '@clawbernetes/kernel';

/** Why a node gives up, or does not start. */
const EXIT_CODES = {
  'wrong-gateway': 3,
  'not-admitted': 3,
  'unsupported-version': 1,
  'name-taken': 1,
  'gateway-refused': 1,
  'gateway-unreachable': 2,
  'invalid-config': 5,
  'home-in-use': 1,
  'home-unusable': 1,
} as const satisfies Record<string, 1 | 2 | 3 | 5>;

export type NodeErrorCode = keyof typeof EXIT_CODES;

export interface NodeErrorFacts {
  readonly code: NodeErrorCode;
}

/** A failure that ends the node: the message is what the operator reads. */
export type NodeError = CodedError<NodeErrorFacts>;

export function nodeError(code: NodeErrorCode, message: string, options?: ErrorOptions): NodeError {
  return new CodedError(message, { code }, options);
}

export function isNodeError(error: unknown): error is NodeError {
  return error instanceof Error && 'code' in error && Object.hasOwn(EXIT_CODES, String(error.code));
}

/** The process's exit code for a failure. */
export function exitCodeOf(error: unknown): number {
  return isNodeError(error) ? EXIT_CODES[error.code] : 1;
}
