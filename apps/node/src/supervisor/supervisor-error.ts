import { CodedError } from '@clawbernetes/kernel';

export type SupervisorErrorCode =
  /** A newer epoch of the same workload was seen. */
  | 'stale-epoch'
  | 'attempt-not-running'
  /** It may not run without the gateway, which was last heard of too long ago. */
  | 'no-contact'
  | 'attempt-of-other-owner'
  | 'too-many-attempts'
  /** The attempt could not be recorded, for example on a full disk; nothing was started. */
  | 'supervisor-storage'
  /** It was told to stop and takes no new work. */
  | 'supervisor-stopping'
  | 'supervisor-unavailable'
  /** It speaks another version of the protocol and still runs workloads. */
  | 'supervisor-incompatible'
  /** It died before it answered; whether it acted is unknown. */
  | 'supervisor-lost'
  | 'supervisor-request';

export function supervisorError(code: SupervisorErrorCode, message: string, cause?: unknown): CodedError {
  return new CodedError(message, { code }, cause === undefined ? {} : { cause });
}
