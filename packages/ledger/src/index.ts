export {
  ACCOUNT_BYTES,
  ACCOUNT_FLAGS,
  encodeAccounts,
  NO_FLOOR,
  readAccount,
  type Account,
} from './machine/account-record.ts';
export type { Balance } from './machine/account-table.ts';
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
export { signRequest, type UnsignedRequest } from './service/request-signature.ts';
