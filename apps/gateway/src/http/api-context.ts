import { newId, type Clock, type Random } from '@clawbernetes/kernel';
import { apiError } from '@clawbernetes/protocol';
import type { IncomingMessage } from 'node:http';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { CommandContext } from '../commands/handler-context.ts';

const NAMESPACE = 'default';

export interface ApiContextDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** SHA-256 of the owner's token. */
  readonly ownerTokenHash: Uint8Array;
}

export function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/** Who asks: so far the owner, who holds the gateway's token. @throws CodedError `unauthenticated`. */
export function authenticate(
  deps: ApiContextDeps,
  request: Pick<IncomingMessage, 'headers'>,
  signal: AbortSignal,
): CommandContext {
  const [, token] = /^Bearer +(\S{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined || !timingSafeEqual(hashToken(token), deps.ownerTokenHash)) {
    throw apiError(
      'unauthenticated',
      token === undefined
        ? 'This request carries no token; send "Authorization: Bearer <token>" (clawbernetes token shows where it is).'
        : 'The token of this request is not this gateway’s; check CLAWBERNETES_TOKEN and CLAWBERNETES_HOME.',
    );
  }
  return {
    principal: 'owner',
    namespace: NAMESPACE,
    requestId: newId('rq', deps.clock, deps.random),
    signal,
  };
}
