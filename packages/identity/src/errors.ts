import { CodedError } from '@clawbernetes/kernel';

export type IdentityErrorCode =
  'invalid-key' | 'invalid-join-token' | 'key-file-invalid' | 'key-file-permissions' | 'key-file-unreadable';

export interface IdentityErrorFacts {
  readonly code: IdentityErrorCode;
  readonly path?: string;
}

export function identityError(
  code: IdentityErrorCode,
  message: string,
  facts: Omit<IdentityErrorFacts, 'code'> = {},
  options?: ErrorOptions,
): CodedError<IdentityErrorFacts> {
  return new CodedError(message, { code, ...facts }, options);
}
