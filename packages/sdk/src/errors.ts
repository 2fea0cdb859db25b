import { CodedError, errorCode, errorMessage } from '@clawbernetes/kernel';
import { apiError, isApiErrorCode, type ApiErrorFacts } from '@clawbernetes/protocol/errors';

/**
 * Nothing that speaks the API answered at `url`. Every other error has the code that the gateway answered.
 */
export interface UnreachableFacts {
  readonly code: 'gateway-unreachable';
  readonly url: string;
  /** Why, in the platform's words, such as `ECONNREFUSED`. */
  readonly reason: string;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection broke',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no route to that host',
  UND_ERR_SOCKET: 'the connection broke',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
};

export function unreachable(url: string, cause: unknown): CodedError<UnreachableFacts> {
  const reason = deepestReason(cause) ?? 'network error';
  return new CodedError<UnreachableFacts>(
    `Cannot reach the gateway at ${url}: ${REASONS[reason] ?? reason}. ` +
      'Start one with "clawbernetes up", or check the address.',
    { code: 'gateway-unreachable', url, reason },
    { cause },
  );
}

export function notAGateway(url: string, status: number): CodedError<UnreachableFacts> {
  return new CodedError<UnreachableFacts>(
    `What answers at ${url} is not a Clawbernetes gateway (HTTP ${status} without its JSON). ` +
      'Check the address.',
    { code: 'gateway-unreachable', url, reason: `HTTP ${status}` },
  );
}

/**
 * The error that a gateway answered with; undefined if `body` is not one. A code from a newer gateway is
 * `internal`.
 */
export function answeredError(body: unknown): CodedError<ApiErrorFacts> | undefined {
  if (typeof body !== 'object' || body === null || !('code' in body) || !('message' in body)) {
    return undefined;
  }
  const { code, message, ...facts } = body;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return apiError(isApiErrorCode(code) ? code : 'internal', message, facts);
}

/** Whether the same request may do better in a moment. */
export function isTransient(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'gateway-unreachable' || code === 'storage-unavailable' || code === 'overloaded';
}

/** Whether the connection stood, but nothing had to be said on it for minutes: no sign of trouble. */
export function wasIdle(error: unknown): boolean {
  if (!(error instanceof CodedError)) return false;
  const facts: unknown = error.facts;
  return typeof facts === 'object' && facts !== null && 'reason' in facts && IDLE.has(String(facts.reason));
}

const IDLE: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** How long the gateway asks to be left alone, ms. */
export function retryAfterMs(error: unknown): number {
  if (!(error instanceof CodedError)) return 0;
  const facts: unknown = error.facts;
  if (typeof facts !== 'object' || facts === null || !('retryAfterMs' in facts)) return 0;
  return typeof facts.retryAfterMs === 'number' ? facts.retryAfterMs : 0;
}

/**
 * The code of what the network said, or its message: `fetch` wraps it; a host with several addresses has
 * several.
 */
function deepestReason(error: unknown): string | undefined {
  let reason: string | undefined;
  let current = error;
  for (let depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth += 1) {
    reason = errorCode(current) ?? (depth > 0 ? errorMessage(current) : undefined) ?? reason;
    const [first] = 'errors' in current && Array.isArray(current.errors) ? (current.errors as unknown[]) : [];
    current = first ?? ('cause' in current ? current.cause : undefined);
  }
  return reason;
}
