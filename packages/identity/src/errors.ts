import { CodedError } from '@clawbernetes/kernel';

export type IdentityErrorCode =
  | 'invalid-join-token'
  | 'invalid-key'
  | 'invalid-key-name'
  | 'invalid-path'
  | 'invalid-phrase'
  | 'invalid-shares'
  | 'invalid-statement'
  | 'key-file-exists'
  | 'key-file-invalid'
  | 'key-file-permissions'
  | 'key-file-unreadable'
  | 'keystore-absent'
  | 'keystore-changed'
  | 'keystore-damaged'
  | 'keystore-exists'
  | 'keystore-passphrase'
  | 'keystore-permissions'
  | 'keystore-unreadable'
  | 'keystore-version'
  | 'weak-passphrase';

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
