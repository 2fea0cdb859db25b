export {
  openClient,
  type AuditCallOptions,
  type AuditProgress,
  type AuditReport,
  type CallOptions,
  type Client,
  type ClientDeps,
  type ClientOptions,
  type RunOptions,
} from './client.ts';
export type { UnreachableFacts } from './errors.ts';
export type { FollowEventsOptions } from './follow-events.ts';
export type { FollowLogsOptions } from './follow-logs.ts';
export { orderText, type OrderDraft, type OrderSignature, type SignedOrder } from './order-text.ts';
export type { LogEntry } from './record-reader.ts';
export type { Fetch } from './transport.ts';
