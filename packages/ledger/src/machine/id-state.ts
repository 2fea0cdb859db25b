/** What an id stands for. Numbers are stored in snapshots. */
export const ID_STATE = {
  /** Used by a chain that failed: free again. */
  none: 0,
  /** A transfer that is done: posted at once, or the post or void of another. */
  done: 1,
  /** Pending; the value is its slot. */
  live: 2,
  posted: 3,
  voided: 4,
  expired: 5,
  /** It failed for a reason that may have gone since; the value is the code of that. */
  failed: 6,
} as const;
