/** Facts that make an error checkable by programs: a stable `code` and whatever belongs to that failure. */
export interface ErrorFacts {
  readonly code: string;
}

/**
 * The one error class of the project. Callers match on `error.code`, never on the class, so two copies of a
 * package cannot disagree. `message` is for people: what happened, to what, and what to do next. No secrets
 * in either.
 */
export class CodedError<F extends ErrorFacts = ErrorFacts> extends Error {
  readonly code: F['code'];
  readonly facts: F;

  constructor(message: string, facts: F, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CodedError';
    this.code = facts.code;
    this.facts = facts;
  }
}

/** The code of any thrown value: a CodedError's, a Node system error's (`ENOSPC`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of any thrown value. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
