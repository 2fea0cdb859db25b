import { CodedError } from '@clawbernetes/kernel';
import type { GatewayErrorCode } from '../errors.ts';

/** A refusal that the node is told of; `fatal` if trying again cannot help. */
export class HandshakeRefusal extends CodedError {
  readonly fatal: boolean;

  constructor(code: GatewayErrorCode, message: string, { fatal }: { readonly fatal: boolean }) {
    super(message, { code });
    this.fatal = fatal;
  }
}
