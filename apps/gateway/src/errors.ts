import { CodedError, errorMessage } from '@clawbernetes/kernel';

/** Every failure that the gateway itself raises; those of the API are in @clawbernetes/protocol. */
export type GatewayErrorCode =
  /** Arguments or environment cannot be used. */
  | 'invalid-config'
  | 'home-unusable'
  | 'port-in-use'
  /** There is no open store at the moment. */
  | 'storage-unavailable'
  /** The ledger was made for another network than the one asked for. */
  | 'wrong-network'
  /** A node broke the protocol; its connection is closed. */
  | 'bad-frame'
  | 'frame-too-large'
  | 'protocol-version'
  | 'bad-proof'
  | 'bad-join-token'
  | 'bad-registration';

export interface GatewayErrorFacts {
  readonly code: GatewayErrorCode;
}

export function gatewayError(
  code: GatewayErrorCode,
  message: string,
  options?: ErrorOptions,
): CodedError<GatewayErrorFacts> {
  return new CodedError(message, { code }, options);
}

/** Whatever the store failed with. */
export function asCoded(error: unknown): CodedError {
  // CodedError is generic in facts that only its code tells apart.
  if (error instanceof CodedError) return error as CodedError;
  return gatewayError('storage-unavailable', errorMessage(error), { cause: error });
}
