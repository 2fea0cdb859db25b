/** What walletOptions() of the declarations gives. */
export interface WalletOptions extends PassphraseSource {
  readonly wallet: string;
}

/** Where a passphrase comes from if nobody is asked. */
export interface PassphraseSource {
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
}
