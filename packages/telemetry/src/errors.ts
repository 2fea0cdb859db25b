import { CodedError } from '@clawbernetes/kernel';

/** Facts of the errors of this package. */
export type TelemetryError =
  /** Bytes that should be log records are not. */
  | { readonly code: 'log-damaged' }
  /** A segment could not be written, for example because the disk is full. */
  | { readonly code: 'log-write-failed'; readonly folder: string };

export function telemetryError(
  message: string,
  facts: TelemetryError,
  cause?: unknown,
): CodedError<TelemetryError> {
  return new CodedError(message, facts, cause === undefined ? {} : { cause });
}
