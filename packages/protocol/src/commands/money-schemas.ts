import { z } from 'zod';
import { ESCROW_STATES } from '../money-states.ts';

/** Longest signed operation: a batch of 8,190 transfers of 80 bytes, in base64url. */
export const MAX_OPERATION_CHARACTERS = 873_600;
/** Of an order's canonical JSON, UTF-16 code units. */
export const MAX_ORDER_CHARACTERS = 65_536;

/** Base units; 1 MOLT is 10⁹ of them. A string: JSON numbers lose digits. */
export const amountSchema = z.string().regex(/^-?(0|[1-9][0-9]{0,18})$/);
export const addressSchema = z
  .string()
  .regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/, 'must be an address: the base58 of a public key');
export const ownerInput = addressSchema.describe('Address of a key: base58 of its 32 bytes.');
/** Of an escrow, a withdrawal or the like. */
export const thingId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, 'must be an id of 32 lower-case hexadecimal digits');
export const base64url = z.string().regex(/^[A-Za-z0-9_-]*$/, 'must be base64url without padding');

export const panelSchema = z.object({ keys: z.array(z.string()), threshold: z.int() });

const basisPoints = z.int().describe('Of 10,000.');
export const tierSchema = z.object({
  name: z.string(),
  stake: amountSchema.describe('Least that is at stake.'),
  jobFee: basisPoints,
  instantFee: basisPoints,
  disputeFee: basisPoints,
});

export const claimSchema = z.object({
  gross: amountSchema,
  fee: amountSchema.describe('Part of gross that goes to the treasury.'),
  availableAtMs: z.number(),
  contested: z.boolean(),
});

export const escrowSchema = z.object({
  escrow: z.string(),
  state: z.enum(ESCROW_STATES),
  buyer: z.string(),
  provider: z.string(),
  amount: amountSchema,
  funded: amountSchema,
  paid: amountSchema.describe('To the provider, with the job fee.'),
  refunded: amountSchema,
  remaining: amountSchema.describe('Still locked.'),
  release: z.string().describe('Who may release: single, both, arbiters, or time-lock.'),
  releaser: z.string().optional(),
  arbiters: panelSchema.optional(),
  createdAtMs: z.number(),
  deadlineMs: z.number(),
  onDeadline: z.enum(['release', 'refund']),
  slashable: amountSchema.describe('Of the provider’s stake, in a dispute.'),
  termsHash: z.string().optional(),
  resultHash: z.string().optional(),
  agreement: z.string().optional(),
  dispute: z
    .object({
      opener: z.string(),
      amount: amountSchema,
      deposit: amountSchema,
      openedAtMs: z.number(),
      place: z.enum(['locked', 'held']),
      reason: z.string(),
    })
    .optional(),
  held: z.array(claimSchema).describe('Paid, and still open to dispute.'),
  endedAtMs: z.number().optional(),
});

export const withdrawalSchema = z.object({
  withdrawal: z.string(),
  owner: z.string(),
  amount: amountSchema.describe('With the fee.'),
  fee: amountSchema,
  to: z.string(),
  speed: z.enum(['normal', 'instant']),
  state: z.string(),
  requestedAtMs: z.number(),
  sendAtMs: z.number().describe('Normal ones wait for their batch.'),
  reference: z.string().optional(),
  endedAtMs: z.number().optional(),
});

/** The accounts of an owner, as people call them. */
export const OWNER_ACCOUNTS = ['available', 'held', 'escrowed', 'staked', 'unbonding'] as const;

export const movementSchema = z.object({
  number: z.int().describe('Its place in the history of the ledger.'),
  timeMs: z.number(),
  kind: z.string().describe('Such as escrow-fund or earnings-available.'),
  job: z.string().describe('Id of the escrow, agreement or withdrawal; empty for none.'),
  counterparty: z.string().describe('An address, an account of the ledger, or an account’s id.'),
  amount: amountSchema.describe('What came in; negative: what went out.'),
  fee: amountSchema.describe('How much of it is a fee.'),
  balanceAfter: amountSchema,
});
