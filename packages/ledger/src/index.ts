export {
  ACCOUNT_BYTES,
  ACCOUNT_FLAGS,
  encodeAccounts,
  NO_FLOOR,
  readAccount,
  type Account,
} from './machine/account-record.ts';
export type { Balance } from './machine/account-table.ts';
export { IDS_PER_MS, signerId, SignerIds } from './machine/id-scope.ts';
export {
  LedgerMachine,
  type AccountView,
  type Expiry,
  type MachineOptions,
} from './machine/ledger-machine.ts';
export { resultName, RESULTS, type ResultName } from './machine/result-code.ts';
export {
  MAX_BATCH_ITEMS,
  readTransfer,
  TRANSFER_BYTES,
  TRANSFER_FLAGS,
  TransferBatch,
  type Transfer,
  type TransferFlag,
} from './machine/transfer-record.ts';
export { LEDGER_SCHEMA } from './journal/ledger-schema.ts';
export type { Authority, Operation, OperationKind } from './journal/frame.ts';
export { encodeFreezes, type Freeze } from './machine/freeze-record.ts';
export { DEFAULT_LEDGER_OPTIONS, Ledger, type LedgerDeps, type LedgerOptions } from './ledger.ts';
export type { LedgerError } from './errors.ts';
export { LedgerTime } from './service/ledger-time.ts';
export { signRequest, type UnsignedRequest } from './service/request-signature.ts';
export { auditLedger, type AuditOptions, type AuditProgress } from './audit/audit-ledger.ts';
export type { AssetTotals, AuditReport, Discrepancy } from './audit/audit-report.ts';
export { auditInThread, type ThreadAuditOptions } from './audit/audit-thread.ts';
export {
  ACCOUNT_KINDS,
  accountId,
  standardAccount,
  type AccountKind,
  type AccountName,
} from './orders/standard-accounts.ts';
export { encodeOrder, readOrder, type Order, type OrderDraft } from './orders/order.ts';
export {
  hasValidSignatures,
  orderFault,
  requiredSignatures,
  type RequiredSignature,
} from './orders/order-signature.ts';
export { MOVEMENT_KINDS, type MovementKind } from './orders/movement-kinds.ts';
export type { Deviation } from './orders/order-totals.ts';
export { tierOf, TIERS, type Tier } from './orders/fees.ts';
export type {
  Agreement,
  Claim,
  Escrow,
  EscrowState,
  Settings as LedgerSettings,
  Stake,
  Withdrawal,
} from './orders/records.ts';
export { exportCsv, exportJson, exportRows, type ExportRow } from './projection/export-rows.ts';
export type { History, Page, PageOptions, Statement } from './projection/history.ts';
export type { AccountMovement, Movement } from './projection/movement.ts';
export { HISTORY_SCHEMA } from './projection/projection-schema.ts';
export { Projection, type ProjectionLag } from './projection/projection.ts';
