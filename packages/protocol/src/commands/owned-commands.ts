import { z } from 'zod';
import { AGREEMENT_ROLES, ESCROW_ROLES, ESCROW_STATES, FUNDS_STATES } from '../money-states.ts';
import { agreementSchema } from './agreement-schemas.ts';
import { command } from './command.ts';
import { escrowSchema, ownerInput, thingId } from './money-schemas.ts';
import { nextSchema } from './references.ts';

const errors = ['command-disabled'] as const;

const page = {
  limit: z.int().min(1).max(200).default(50).describe('Most of one page, which may have fewer.'),
  cursor: thingId.optional().describe('`next` of the page before; older ones come after it.'),
};
/** A page looks at a bounded number: one that found nothing may still have a next. */
const next = nextSchema.describe('Cursor of the next page; absent on the last. A page may be empty before.');

/** What an owner takes part in. */
export const ownedCommands = {
  'molt.escrows': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Escrows in which an owner has a part, the newest first',
    input: z.strictObject({
      owner: ownerInput,
      state: z.enum(ESCROW_STATES).optional().describe('Only those in this state.'),
      role: z.enum(ESCROW_ROLES).optional().describe('Only those in which the owner has this part.'),
      ...page,
    }),
    output: z.object({
      owner: z.string(),
      escrows: z.array(
        escrowSchema
          .omit({ held: true, arbiters: true, dispute: true, termsHash: true, resultHash: true })
          .extend({ roles: z.array(z.enum(ESCROW_ROLES)).describe('Of the owner.') }),
      ),
      next,
    }),
    errors,
  }),
  'molt.agreement': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'One agreement: what was paid and is owed by receipts, and how far its funds reach',
    input: z.strictObject({ agreement: thingId.describe('Id of the agreement.') }),
    output: agreementSchema,
    errors: [...errors, 'not-found'],
  }),
  'molt.agreements': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Agreements of an owner, the newest first',
    input: z.strictObject({
      owner: ownerInput,
      funds: z.enum(FUNDS_STATES).optional().describe('Only those whose funds are so.'),
      role: z.enum(AGREEMENT_ROLES).optional().describe('Only those in which the owner is that.'),
      ...page,
    }),
    output: z.object({ owner: z.string(), agreements: z.array(agreementSchema), next }),
    errors,
  }),
} as const;
