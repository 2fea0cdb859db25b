import { readAmount, readAmountOrZero, readRate } from './amount.ts';
import {
  list,
  oneOf,
  optional,
  readAddress,
  readHash,
  readId,
  readTimeMs,
  shape,
  text,
  whole,
  type Reader,
} from './order-fields.ts';

/** Most keys of a panel. */
const MAX_PANEL = 32;
/** Most agreements settled by one order. */
const MAX_RECEIPTS = 32;
/** What is open of one kind, unless the settings say less. */
const MAX_OPEN = 10_000_000;

/** Of whose keys so many have to sign. */
const readPanel = shape({ keys: list(readAddress, 1, MAX_PANEL), threshold: whole(1, MAX_PANEL) });
export type Panel = ReturnType<typeof readPanel>;

/**
 * Who may release: the one key of `single`; buyer and provider `both`; as many `arbiters` as their threshold;
 * or nobody but time.
 */
const RELEASE_KINDS = ['single', 'both', 'arbiters', 'time-lock'] as const;
export type ReleaseKind = (typeof RELEASE_KINDS)[number];

const readEnding = oneOf('release', 'refund');

/** A receipt says what was used from the origin until its time; each takes in all before it. */
export const readReceipt = shape({
  ledger: text(128),
  agreement: readId,
  buyer: readAddress,
  provider: readAddress,
  n: whole(1, Number.MAX_SAFE_INTEGER),
  /** SHA-256 of the canonical JSON of the receipt before; zeros for the first. */
  prevHash: readHash,
  meters: shape({
    /** Time in which the lease was active. */
    activeMs: whole(0, Number.MAX_SAFE_INTEGER),
    cpuMs: optional(readAmountOrZero, undefined),
    gpuMs: optional(readAmountOrZero, undefined),
    bytesIn: optional(readAmountOrZero, undefined),
    bytesOut: optional(readAmountOrZero, undefined),
  }),
  cumulativeAmount: readAmountOrZero,
  logRoot: readHash,
  health: oneOf('ok', 'degraded', 'failed'),
  timeMs: readTimeMs,
});
export type Receipt = ReturnType<typeof readReceipt>;

/** A receipt as both signed it. */
const readCosigned = shape({
  receipt: readReceipt,
  buyerSignature: text(128),
  providerSignature: text(128),
});
export type CosignedReceipt = ReturnType<typeof readCosigned>;

/** What each type of order says, read strictly: a field too many is refused. */
export const ORDER_BODIES = {
  /** The first order of a ledger; nobody signs it. */
  'ledger-open': shape({
    ledger: text(128),
    network: oneOf('development', 'test', 'main'),
    asset: whole(1, 2 ** 32 - 1),
    /** Report what became of withdrawals and deposits. */
    operators: readPanel,
    /** Slash stake, and resolve disputes of escrows that name no arbiters. */
    council: readPanel,
    /** What a provider has at least at stake. */
    providerStake: readAmountOrZero,
    /** Most that the faucet gives to an owner in 24 hours. */
    faucetAmount: readAmountOrZero,
    /** Most escrows with something in them, deposits and open withdrawals; claims: twice as many. */
    maxOpen: whole(1, MAX_OPEN),
    /**
     * What a dispute deposits at least, however little it is about, as it holds up stake. Absent: nothing.
     */
    minDisputeDeposit: optional(readAmountOrZero, undefined),
    /**
     * Least amount of an escrow, as whoever fills the ledger with small ones keeps all others out. Absent: 1.
     */
    minEscrow: optional(readAmountOrZero, undefined),
    /** Most accounts that `account-open` opens in 24 hours, as it costs nothing. Absent: any number. */
    maxDailyOpenings: optional(whole(0, MAX_OPEN), undefined),
  }),
  /** Other operators or another council, by a quorum of the council. */
  'ledger-panel': shape({ role: oneOf('operators', 'council'), panel: readPanel }),
  /** Opens the signer's account, so that he can be paid. */
  'account-open': shape({}),
  'escrow-create': shape({
    escrow: readId,
    buyer: readAddress,
    provider: readAddress,
    amount: readAmount,
    release: oneOf(...RELEASE_KINDS),
    /** The one who releases, where one does. */
    releaser: optional(readAddress, undefined),
    arbiters: optional(readPanel, undefined),
    /** When the escrow settles by itself; 7 days after its creation if it is not said. */
    deadlineMs: optional(readTimeMs, undefined),
    onDeadline: optional(readEnding, 'refund'),
    /** Of the provider's stake, in a dispute; above zero only with his signature. */
    slashable: optional(readAmountOrZero, 0n),
    /** SHA-256 of what was agreed. */
    termsHash: optional(readHash, undefined),
  }),
  'escrow-fund': shape({ escrow: readId }),
  'escrow-complete': shape({ escrow: readId, resultHash: optional(readHash, undefined) }),
  /** All, unless an amount is named; the rest goes back to the buyer. */
  'escrow-release': shape({ escrow: readId, amount: optional(readAmount, undefined) }),
  'escrow-refund': shape({ escrow: readId }),
  'escrow-dispute': shape({ escrow: readId, amount: optional(readAmount, undefined), reason: text(1000) }),
  'escrow-resolve': shape({
    escrow: readId,
    toBuyer: readAmountOrZero,
    toProvider: readAmountOrZero,
    slash: optional(readAmountOrZero, 0n),
    slashTo: optional(oneOf('buyer', 'treasury'), 'treasury'),
  }),
  'stake-deposit': shape({ amount: readAmount }),
  'stake-withdraw': shape({ amount: readAmount }),
  'stake-slash': shape({ owner: readAddress, amount: readAmount, reason: text(1000) }),
  'agreement-open': shape({
    agreement: readId,
    escrow: readId,
    rate: readRate,
    windowMs: optional(whole(0, Number.MAX_SAFE_INTEGER), 10_000),
  }),
  /** Anybody may bring receipts: both parties have signed them. */
  'agreement-settle': shape({ receipts: list(readCosigned, 1, MAX_RECEIPTS) }),
  'agreement-top-up': shape({ agreement: readId, amount: readAmount }),
  /** Tops up by `each` as funds run low, until `total` is used up. A total of 0 ends it. */
  'agreement-auto-top-up': shape({
    agreement: readId,
    each: readAmountOrZero,
    total: readAmountOrZero,
    untilMs: readTimeMs,
  }),
  'agreement-close': shape({ agreement: readId }),
  withdraw: shape({
    withdrawal: readId,
    amount: readAmount,
    to: readAddress,
    speed: oneOf('normal', 'instant'),
  }),
  'withdrawal-report': shape({
    withdrawal: readId,
    status: oneOf('sent', 'confirmed', 'failed'),
    /** Such as the signature of the transaction. */
    reference: optional(text(128), undefined),
  }),
  /** Tokens have come in from outside. */
  deposit: shape({ deposit: readId, owner: readAddress, amount: readAmount, reference: text(128) }),
  faucet: shape({ amount: readAmount }),
} as const satisfies Record<string, Reader<unknown>>;

export type OrderType = keyof typeof ORDER_BODIES;
export type OrderBody<Type extends OrderType> = ReturnType<(typeof ORDER_BODIES)[Type]>;

export function isOrderType(value: unknown): value is OrderType {
  return typeof value === 'string' && Object.hasOwn(ORDER_BODIES, value);
}
