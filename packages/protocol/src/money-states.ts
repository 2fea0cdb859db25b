/** Of an escrow. */
export const ESCROW_STATES = [
  'created',
  'funded',
  'completed',
  'disputed',
  'released',
  'refunded',
  'resolved',
  'expired',
] as const;

/** What an owner can be in an escrow. */
export const ESCROW_ROLES = ['buyer', 'provider', 'releaser', 'arbiter'] as const;

/** What an owner can be in an agreement. */
export const AGREEMENT_ROLES = ['buyer', 'provider'] as const;

/** Of an agreement; `closing`: one party has closed it, and the last receipt is still taken. */
export const AGREEMENT_STATES = ['open', 'closing', 'closed'] as const;

/** How far its funds reach: for more than 30 minutes, at most 30, at most 10, not at all, or it is over. */
export const FUNDS_STATES = ['active', 'low', 'grace', 'frozen', 'closed'] as const;
