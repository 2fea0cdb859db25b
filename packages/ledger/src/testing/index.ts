export { DEFAULT_TWINS, LedgerTwins, type TwinOptions } from './ledger-twins.ts';
export { NaiveLedger, type NaiveAccount, type NaivePending } from './naive-ledger.ts';
export { SameThread } from './same-thread.ts';
export { POSSIBLE_ACCOUNTS, RandomWorkload, type LedgerStep } from './random-workload.ts';
