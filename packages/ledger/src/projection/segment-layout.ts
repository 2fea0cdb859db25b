/** Pages of a segment by what is in them. Numbers are stored. */
export const SECTION = {
  /** Movements in their order: the columns of COLUMN. */
  rows: 1,
  /** Rows by account, and in their order within it. */
  postings: 2,
  /** Sums of the account of every RESTART_POSTINGS-th posting, before it. */
  restarts: 3,
  /** Hash and row, in the bucket of the hash; within it in the order of rows. */
  references: 4,
  /** Accounts in ascending order; the number of a page is its first account. See ACCOUNT_COLUMN. */
  accounts: 5,
  /** Of all accounts, by number: newest segment, then SUM_WORDS sums, after this segment. */
  heads: 6,
} as const;
export type Section = (typeof SECTION)[keyof typeof SECTION];

/** Of an account in a segment: `after` are its SUM_WORDS sums at its end. */
export const ACCOUNT_COLUMN = { account: 0, first: 1, count: 2, previous: 3, after: 4 } as const;

/** Small, since an account's movements are most often each in a page of its own. */
export const ROWS_PER_PAGE = 512;
export const POSTINGS_PER_PAGE = 8192;
/** A balance is computed from the next of these, over as many movements at most. */
export const RESTART_POSTINGS = 128;
export const ACCOUNTS_PER_PAGE = 512;
const REFERENCES_PER_BUCKET = 1024;

/** A power of two. */
export function bucketsFor(references: number): number {
  let buckets = 1;
  while (buckets * REFERENCES_PER_BUCKET < references) buckets *= 2;
  return buckets;
}

export function bucketOf(hash: number, buckets: number): number {
  return (hash >>> 1) % buckets;
}
