/**
 * Under which rules a frame is booked: the number that it carries. What a journal was answered it is answered
 * for ever, so a change of meaning holds from a number on, and frames of before keep theirs.
 *
 * - 1: whoever signs chooses any id, and opens accounts for himself.
 * - 2: ids are their signer's (see id-scope.ts); accounts are opened by orders and by the ledger itself;
 *   stake is slashed within its limit in all, and leaves no sooner by that; what one party has open is
 *   bounded, and a quarter of what can be pending is the ledger's own.
 * - 3: payments of an escrow that are held come to `minEscrow` each, but for one; a reference of a deposit is
 *   booked once.
 * - 4: escrows take the room of others only while `minEscrow` or more is in them; those without funds, those
 *   that are over, and withdrawals that have ended make room for each other; withdrawals on their way come to
 *   `minEscrow` each, but for one.
 */
export const OWN_IDS_RULES = 2;
export const BOUNDED_RULES = 2;
export const HELD_RULES = 3;
export const REFERENCE_RULES = 3;
export const ROOM_RULES = 4;
/** Of every frame that is written. */
export const NEWEST_RULES: number = Math.max(
  OWN_IDS_RULES,
  BOUNDED_RULES,
  HELD_RULES,
  REFERENCE_RULES,
  ROOM_RULES,
);
