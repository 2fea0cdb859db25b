import type { LastReceipt, Metered, OrderBody, Panel, ReleaseKind } from '@clawbernetes/orders';

export type Settings = OrderBody<'ledger-open'>;

export type EscrowState =
  'created' | 'funded' | 'completed' | 'disputed' | 'released' | 'refunded' | 'resolved' | 'expired';

export interface Dispute {
  readonly opener: string;
  readonly amount: bigint;
  /** Deposited by the opener; what he does not win of it is the fee. */
  readonly deposit: bigint;
  readonly openedAtMs: number;
  /** Where the contested amount lies. */
  readonly place: 'locked' | 'held';
  readonly reason: string;
}

/** Funds of one job. Always: funded = paid + refunded + remaining. */
export interface Escrow {
  readonly id: string;
  readonly buyer: string;
  readonly provider: string;
  readonly amount: bigint;
  readonly release: ReleaseKind;
  readonly releaser?: string;
  readonly arbiters?: Panel;
  readonly createdAtMs: number;
  readonly deadlineMs: number;
  readonly onDeadline: 'release' | 'refund';
  /** Of the provider's stake, in all disputes together. */
  readonly slashable: bigint;
  /** Of it, so far; absent: nothing. */
  readonly slashed?: bigint;
  readonly termsHash?: string;
  /** The provider has signed something about it: then its disputes touch his stake. */
  readonly accepted: boolean;
  readonly state: EscrowState;
  readonly funded: bigint;
  /** Gross: with the job fee. */
  readonly paid: bigint;
  readonly refunded: bigint;
  /** Still locked. */
  readonly remaining: bigint;
  /** Transfer that reserves `remaining`; 0n if none does, as in an agreement. */
  readonly pendingId: bigint;
  readonly agreement?: string;
  readonly dispute?: Dispute;
  /** Numbers of its claims that are held. */
  readonly claims: readonly number[];
  readonly claimCount: number;
  readonly resultHash?: string;
  readonly endedAtMs?: number;
}

/** A payment that the provider has earned and that can still be disputed. */
export interface Claim {
  readonly escrow: string;
  readonly number: number;
  readonly buyer: string;
  readonly provider: string;
  readonly gross: bigint;
  /** Part of gross that goes to the treasury. */
  readonly fee: bigint;
  readonly maturesAtMs: number;
  readonly contested: boolean;
}

export interface Unbonding {
  readonly amount: bigint;
  readonly untilMs: number;
}

export interface Stake {
  readonly owner: string;
  /** What counts for the tier. */
  readonly staked: bigint;
  /** The earliest first. */
  readonly unbonding: readonly Unbonding[];
  /** Open disputes about jobs that he accepted. */
  readonly disputes: number;
}

export interface TopUpLimit {
  readonly each: bigint;
  readonly total: bigint;
  readonly used: bigint;
  readonly untilMs: number;
}

/** A lease that an escrow pays for, receipt by receipt. */
export interface Agreement extends Metered {
  readonly id: string;
  readonly escrow: string;
  readonly buyer: string;
  readonly provider: string;
  readonly windowMs: number;
  /** Until when receipts are taken once it is closing. */
  readonly closesAtMs?: number;
  readonly last?: LastReceipt;
  /** Gross, of the escrow. */
  readonly paid: bigint;
  /** Of the job fee: ten-thousandths of a base unit that were not taken yet. */
  readonly feeRemainder: bigint;
  readonly topUp?: TopUpLimit;
}

export interface Withdrawal {
  readonly id: string;
  readonly owner: string;
  /** With the fee. */
  readonly amount: bigint;
  readonly fee: bigint;
  readonly to: string;
  readonly speed: 'normal' | 'instant';
  readonly state: 'requested' | 'sent' | 'confirmed' | 'returned';
  readonly requestedAtMs: number;
  /** Normal ones wait for their batch. */
  readonly sendAtMs: number;
  readonly reference?: string;
  readonly endedAtMs?: number;
}

export interface Deposit {
  readonly id: string;
  readonly owner: string;
  readonly amount: bigint;
  readonly reference: string;
  readonly atMs: number;
}

/** Accounts that were opened for nothing since a time. */
export interface Openings {
  readonly sinceMs: number;
  readonly count: number;
}

/** Of what was forgotten early: ids up to these times, ms since 1970, may have been used. */
export interface Forgotten {
  /** And agreements. */
  readonly escrowsMs: number;
  readonly withdrawalsMs: number;
}

/** What the faucet gave to an owner since a time. */
export interface FaucetUse {
  readonly owner: string;
  readonly sinceMs: number;
  readonly amount: bigint;
}
