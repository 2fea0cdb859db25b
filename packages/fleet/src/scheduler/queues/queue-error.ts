import { CodedError } from '@clawbernetes/kernel';
import type { Dimension } from './amounts.ts';

/** Why a set of queues, or the use of one, is refused; `queue` is the one to change. */
export type QueueErrorFacts =
  | { readonly code: 'queue-name-invalid'; readonly queue: string }
  | { readonly code: 'queue-name-taken'; readonly queue: string }
  | { readonly code: 'queue-too-many'; readonly limit: number }
  | { readonly code: 'queue-too-deep'; readonly queue: string; readonly limit: number }
  | { readonly code: 'queue-parent-unknown'; readonly queue: string; readonly parent: string }
  | { readonly code: 'queue-cycle'; readonly queue: string; readonly circle: readonly string[] }
  | { readonly code: 'queue-weight-invalid'; readonly queue: string; readonly weight: number }
  | { readonly code: 'queue-priority-class-invalid'; readonly queue: string; readonly priorityClass: number }
  | { readonly code: 'queue-amount-invalid'; readonly queue: string; readonly dimension: Dimension }
  | { readonly code: 'queue-limit-below-guarantee'; readonly queue: string; readonly dimension: Dimension }
  | { readonly code: 'queue-guarantees-exceed-parent'; readonly queue: string; readonly dimension: Dimension }
  | { readonly code: 'queue-unknown'; readonly queue: string; readonly nearest?: string }
  | { readonly code: 'queue-has-children'; readonly queue: string };

export function queueError(message: string, facts: QueueErrorFacts): CodedError<QueueErrorFacts> {
  return new CodedError(message, facts);
}
