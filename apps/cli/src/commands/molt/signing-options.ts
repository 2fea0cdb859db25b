import type { WalletOptions } from './wallet-options.ts';

/** What signingOptions() of the declarations gives. */
export interface SigningOptions extends WalletOptions {
  /** Do not ask before anything is moved. */
  readonly yes?: boolean;
  /** Sign for this ledger only. */
  readonly ledger?: string;
  /** File for others to sign, instead of carrying it out. */
  readonly save?: string;
}
