import { CodedError, errorCode, errorMessage } from '@clawbernetes/kernel';
import { isApiErrorCode, type ApiErrorFacts } from '@clawbernetes/protocol';

/** A command's input; a workload specification is the largest. */
export const MAX_BODY_BYTES = 1_048_576;

/** What a client is told of a failure: codes that it knows, and nothing of the gateway's inside. */
export function describeError(error: unknown): ApiErrorFacts & { readonly message: string } {
  const code = errorCode(error) ?? 'internal';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return { code: 'too-large', message: `A request body may have at most ${MAX_BODY_BYTES} bytes.` };
  }
  if (code.startsWith('FST_ERR_CTP') || error instanceof SyntaxError) {
    return { code: 'invalid-input', message: `The request body is not JSON: ${errorMessage(error)}` };
  }
  if (code.startsWith('FST_ERR_')) {
    return { code: 'invalid-input', message: `The request cannot be read: ${errorMessage(error)}` };
  }
  if (code === 'aborted')
    return { code: 'timeout', message: 'The client left before there was an answer for it.' };
  if (code === 'storage-full')
    return { code, message: `${errorMessage(error)} The gateway then goes on by itself.` };
  if (code === 'storage-overloaded')
    return { code: 'overloaded', message: errorMessage(error), retryAfterMs: 1000 };
  if (code.startsWith('storage-'))
    return { code: 'storage-unavailable', message: errorMessage(error), retryAfterMs: 1000 };
  if (!isApiErrorCode(code))
    return { code: 'internal', message: 'The gateway failed on this request; its log says why.' };
  const facts = error instanceof CodedError ? (error.facts as ApiErrorFacts) : { code };
  return { ...facts, code, message: errorMessage(error) };
}
