import { z } from 'zod';
import { command } from './command.ts';
import {
  addressSchema,
  amountSchema,
  base64url,
  MAX_OPERATION_CHARACTERS,
  MAX_ORDER_CHARACTERS,
  panelSchema,
  withdrawalSchema,
} from './money-schemas.ts';
import { cursorSchema, nextSchema } from './references.ts';

/** A gateway without the settlement role answers `command-disabled` to all of these. */
const errors = ['command-disabled'] as const;

const orderOutcome = z.object({
  result: z.string().describe('"ok", or why nothing was done.'),
  says: z.string().describe('The same as a sentence, with what to do next.'),
});

const auditReportSchema = z.object({
  stateHash: z.string().describe('Equal for equal histories, on any engine.'),
  totals: z.object({
    frames: z.int(),
    operations: z.int(),
    signatures: z.int(),
    accounts: z.int(),
    pendingTransfers: z.int(),
    assets: z.array(
      z.object({
        asset: z.int(),
        accounts: z.int(),
        issued: amountSchema,
        held: amountSchema,
        pending: amountSchema,
      }),
    ),
  }),
  discrepancies: z
    .array(z.object({ kind: z.string(), sequence: z.int(), message: z.string() }))
    .describe('Empty for a ledger that is right.'),
});

/** The ledger itself. What it refuses is a result with a sentence, not an error: nothing of it was done. */
export const ledgerCommands = {
  'ledger.info': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'What one needs to know to sign for this ledger: its id, network, time and asset',
    input: z.strictObject({}),
    output: z.object({
      ledgerId: z.string().describe('Audience of every signature.'),
      network: z.enum(['development', 'test', 'main']).describe('Tokens are worth something on main only.'),
      timeMs: z.number().describe('Of the ledger: what is signed for it has this time.'),
      clockAheadMs: z
        .number()
        .describe(
          'How far the clock of its machine is ahead of that, or behind: the ledger does not follow it.',
        ),
      asset: z.object({ code: z.int(), symbol: z.string(), decimals: z.int() }),
      sequence: z.int().describe('Of the newest frame of the journal.'),
      accounts: z.int(),
      history: z
        .object({ lagFrames: z.int(), lagMovements: z.int() })
        .describe('How far statements and earnings are behind what is booked.'),
      operators: panelSchema,
      council: panelSchema,
      providerStake: amountSchema.describe('What a provider has at stake, at least.'),
      faucetAmount: amountSchema.describe('Most that the faucet gives to an owner in 24 hours.'),
      minDisputeDeposit: amountSchema.describe('What a dispute deposits, at least.'),
      minEscrow: amountSchema.describe('What an escrow holds, at least.'),
      storage: z.string(),
    }),
    errors,
  }),
  'ledger.submit': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Book a batch of transfers that its signer asks for',
    input: z.strictObject({
      kind: z.literal('transfers').describe('What the items are. Accounts are opened by orders.'),
      items: base64url
        .min(1)
        .max(MAX_OPERATION_CHARACTERS)
        .describe('Records of the ledger package, at most 8,190: base64url.'),
      signer: addressSchema.describe('Address of the key that signs.'),
      nonce: z.int().min(0).describe('Rises with every request of the signer.'),
      expiresAtMs: z.int().min(0).describe('The request is refused after this.'),
      signature: base64url.length(86).describe('Ed25519 over ledger, kind, nonce, expiry and items.'),
    }),
    output: z.object({
      results: z.array(z.string()).describe('What became of each item, in order.'),
      meanings: z.record(z.string(), z.string()).describe('A sentence for each result that occurs.'),
    }),
    errors,
  }),
  'ledger.order': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Carry out an order – escrow, stake, withdrawal – that carries its signatures in itself',
    input: z.strictObject({
      order: z
        .string()
        .min(2)
        .max(MAX_ORDER_CHARACTERS)
        .describe('Canonical JSON (RFC 8785) of type, body and signatures.'),
    }),
    output: orderOutcome,
    errors,
  }),
  'ledger.account': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'One account of the ledger by its id',
    input: z.strictObject({
      account: z
        .string()
        .regex(/^[0-9a-f]{32}$/, 'must be an id of 32 lower-case hexadecimal digits')
        .describe('Id of the account, u128 in hexadecimal.'),
    }),
    output: z.object({
      account: z.string(),
      asset: z.int(),
      code: z.int(),
      frozen: z.boolean(),
      floor: amountSchema,
      debitsPosted: amountSchema,
      creditsPosted: amountSchema,
      debitsPending: amountSchema,
      creditsPending: amountSchema,
    }),
    errors: [...errors, 'not-found'],
  }),
  'ledger.audit': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Recompute the whole ledger from its journal and compare; for its owner, takes a while',
    input: z.strictObject({
      audit: z
        .string()
        .max(64)
        .optional()
        .describe('`audit` of an answer before: goes on waiting. Absent = the one that runs, or a new one.'),
      waitMs: z.int().min(0).max(60_000).default(30_000).describe('Answers after this at the latest.'),
    }),
    output: z.object({
      audit: z.string(),
      ledgerId: z.string(),
      sequence: z.int().describe('The last frame that is looked at.'),
      startedAtMs: z.number(),
      progress: z
        .object({ frames: z.int(), of: z.int() })
        .describe('Frames that were looked at, and how many there are to look at.'),
      report: auditReportSchema.optional().describe('Absent while it runs.'),
    }),
    errors: [...errors, 'not-found'],
  }),
  'ledger.operate': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Have the gateway sign an order as operator or council of its ledger; for its owner',
    input: z.strictObject({
      type: z
        .enum(['withdrawal-report', 'deposit', 'escrow-resolve', 'stake-slash'])
        .describe('Type of the order.'),
      body: z.record(z.string(), z.json()).describe('Its fields; amounts are decimal strings of base units.'),
    }),
    output: orderOutcome,
    errors,
  }),
  'ledger.withdrawals': command({
    tier: 'molt',
    target: 'gateway',
    summary: 'Withdrawals that are not through: what an operator has to send, or to confirm',
    input: z.strictObject({
      limit: z.int().min(1).max(1000).default(100).describe('Withdrawals of one page.'),
      cursor: cursorSchema,
    }),
    output: z.object({ withdrawals: z.array(withdrawalSchema), next: nextSchema }),
    errors,
  }),
} as const;
