import { z } from 'zod';
import { AGREEMENT_STATES, FUNDS_STATES } from '../money-states.ts';
import { amountSchema } from './money-schemas.ts';

export const agreementSchema = z.object({
  agreement: z.string(),
  escrow: z.string().describe('It pays; what no receipt claims goes back to the buyer.'),
  buyer: z.string(),
  provider: z.string(),
  state: z.enum(AGREEMENT_STATES),
  funds: z.enum(FUNDS_STATES).describe('low: at most 30 minutes; grace: at most 10; frozen: used up.'),
  rate: z
    .string()
    .regex(/^[1-9][0-9]*$/)
    .describe('Base units a second, times 10¹⁸.'),
  windowMs: z.number().describe('How often a receipt is due; nobody can lose more than one window.'),
  originMs: z.number().describe('Since when active time counts.'),
  pausedMs: z.number().describe('Since then, the time in which it was not active, as receipts say.'),
  activeMs: z.number().describe('What the ledger supposes until a receipt says better.'),
  funded: amountSchema.describe('All that was ever put in.'),
  paid: amountSchema.describe('By receipts that were settled, with the job fee.'),
  owed: amountSchema.describe('For the supposed active time, beyond what was paid.'),
  remaining: amountSchema.describe('Still locked.'),
  refunded: amountSchema,
  exhaustedAtMs: z.number().describe('When the funds are used up if it stays active.'),
  deadlineMs: z.number().describe('Of the escrow: then it closes by itself.'),
  closesAtMs: z.number().optional().describe('Until when receipts are taken while it is closing.'),
  last: z
    .object({ n: z.int(), hash: z.string(), cumulativeAmount: amountSchema, activeMs: z.number() })
    .optional()
    .describe('The receipt that was settled last.'),
  topUp: z
    .object({ each: amountSchema, total: amountSchema, used: amountSchema, untilMs: z.number() })
    .optional()
    .describe('What the buyer has allowed to be added as funds run low.'),
  timeMs: z.number().describe('By the ledger’s clock: when all of this was so.'),
});
