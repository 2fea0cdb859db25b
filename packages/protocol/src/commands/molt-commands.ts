import { z } from 'zod';
import { command } from './command.ts';
import {
  amountSchema,
  escrowSchema,
  movementSchema,
  OWNER_ACCOUNTS,
  ownerInput,
  thingId,
  tierSchema,
  withdrawalSchema,
} from './money-schemas.ts';
import { nextSchema } from './references.ts';

const errors = ['command-disabled'] as const;
const period = {
  fromMs: z.int().min(0).optional().describe('From this time on; absent = from the beginning.'),
  toMs: z.int().min(0).optional().describe('Before this time; absent = until now.'),
};
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
  'molt.statement': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Movements of one of an owner’s accounts in a time, the newest first, with opening and closing',
    input: z.strictObject({
      owner: ownerInput,
      account: z.enum(OWNER_ACCOUNTS).default('available').describe('Which of the owner’s accounts.'),
      ...period,
      limit: z.int().min(1).max(500).default(100).describe('Movements of one page.'),
      cursor: z
        .string()
        .regex(/^[0-9]{1,15}$/, 'must be `next` of the page before')
        .optional()
        .describe('`next` of the page before; its movements come after.'),
    }),
    output: z.object({
      owner: z.string(),
      account: z.enum(OWNER_ACCOUNTS),
      opening: amountSchema.describe('Before the first movement of the time.'),
      closing: amountSchema.describe('After the last one: opening and the movements of all pages.'),
      movements: z.array(movementSchema),
      next: nextSchema,
    }),
    errors,
  }),
  'molt.earnings': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'What an owner has earned as a provider, in all and by job',
    input: z.strictObject({ owner: ownerInput, ...period }),
    output: z.object({
      owner: z.string(),
      gross: amountSchema.describe('Paid for jobs, with their fees.'),
      fees: amountSchema,
      returned: amountSchema.describe('Given back after disputes.'),
      net: amountSchema,
      jobs: z.int(),
      average: amountSchema.describe('Net of a job, rounded down.'),
      held: amountSchema.describe('Now: earned, and still open to dispute.'),
      available: amountSchema.describe('Now.'),
      isComplete: z.boolean().describe('False if only the newest movements of the time were looked at.'),
      byJob: z
        .array(
          z.object({
            job: z.string(),
            buyer: z.string().optional().describe('Absent once the ledger has forgotten the job.'),
            net: amountSchema,
            fees: amountSchema,
            lastMs: z.number(),
          }),
        )
        .describe('The newest 1000.'),
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
