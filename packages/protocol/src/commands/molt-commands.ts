import { z } from 'zod';
import { command } from './command.ts';
import {
  amountSchema,
  escrowSchema,
  ownerInput,
  thingId,
  tierSchema,
  withdrawalSchema,
} from './money-schemas.ts';

const errors = ['command-disabled'] as const;
const toOwner = z.strictObject({ owner: ownerInput });

/** What owners ask about their tokens. Whatever moves them is a signed order: see `ledger.order`. */
export const moltCommands = {
  'molt.balance': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'What an owner has, by what may be done with it',
    input: toOwner,
    output: z.object({
      owner: z.string(),
      available: amountSchema.describe('Can be spent or withdrawn.'),
      held: amountSchema.describe('Earned, and still open to dispute.'),
      escrowed: amountSchema.describe('Locked for jobs that are not settled.'),
      staked: amountSchema,
      unbonding: amountSchema.describe('Stake that was withdrawn and becomes available later.'),
      total: amountSchema,
    }),
    errors,
  }),
  'molt.escrow': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'One escrow: its terms, its state, and what of it is still held',
    input: z.strictObject({ escrow: thingId.describe('Id of the escrow.') }),
    output: escrowSchema,
    errors: [...errors, 'not-found'],
  }),
  'molt.stake': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'What an owner has at stake, the tier it gives, and what unbonds',
    input: toOwner,
    output: z.object({
      owner: z.string(),
      staked: amountSchema,
      tier: tierSchema,
      unbonding: z.array(z.object({ amount: amountSchema, untilMs: z.number() })),
      disputes: z.int().describe('Open ones about jobs of the owner; meanwhile stake stays within its tier.'),
    }),
    errors,
  }),
  'molt.tiers': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'The tiers of stake with their fees',
    input: z.strictObject({}),
    output: z.object({ tiers: z.array(tierSchema) }),
    errors,
  }),
  'molt.withdrawal': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'What became of a withdrawal',
    input: z.strictObject({ withdrawal: thingId.describe('Id of the withdrawal.') }),
    output: withdrawalSchema,
    errors: [...errors, 'not-found'],
  }),
} as const;
