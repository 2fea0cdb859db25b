/**
 * What a movement is for; numbers are stored as the code of its transfer. Those of the ledger are from 1000.
 */
export const MOVEMENT_KINDS = {
  'escrow-fund': 1001,
  'escrow-release': 1002,
  'escrow-refund': 1003,
  'job-fee': 1004,
  'job-fee-earned': 1005,
  'job-fee-returned': 1006,
  'earnings-available': 1007,
  'dispute-deposit': 1008,
  'dispute-deposit-returned': 1009,
  'dispute-fee': 1010,
  'dispute-split': 1011,
  'stake-deposit': 1012,
  'stake-unbond': 1013,
  'stake-return': 1014,
  'stake-slash': 1015,
  'stream-pay': 1016,
  'top-up': 1017,
  'withdrawal-request': 1018,
  'withdrawal-paid': 1019,
  'withdrawal-fee': 1020,
  'withdrawal-returned': 1021,
  deposit: 1022,
  /** Only on development networks: worth nothing. */
  faucet: 1023,
  /** What was reserved for an agreement is paid by its receipts from now on. */
  'stream-open': 1024,
} as const;

export type MovementKind = keyof typeof MOVEMENT_KINDS;
