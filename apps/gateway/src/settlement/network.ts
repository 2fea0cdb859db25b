/** What the tokens of a ledger are for; those of `development` come from a faucet and are worth nothing. */
export const NETWORKS = ['development', 'test', 'main'] as const;
export type Network = (typeof NETWORKS)[number];
