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
