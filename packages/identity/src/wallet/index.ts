export {
  childKey,
  deriveKey,
  masterKey,
  parsePath,
  publicKeyOf,
  type DerivationCurve,
  type ExtendedKey,
} from './derivation.ts';
export { deriveIdentity, identityPath, type IdentityPath } from './identity-path.ts';
export { createEntropy, entropyOf, phraseOf, phraseWords, seedOf } from './phrase.ts';
export {
  recoverSecret,
  sharesMissing,
  splitSecret,
  type ShareGroup,
  type SplitOptions,
} from './slip39/shares.ts';
export {
  DEFAULT_COST,
  keystoreText,
  openKeystore,
  parseKeystore,
  requirePassphrase,
  sealKeystore,
  type Keystore,
  type SealOptions,
} from './keystore.ts';
export { parseSolanaKey, pathlessSolanaKey, solanaKeyText } from './solana-key.ts';
export {
  activeKey,
  eraseSecret,
  walletFacts,
  walletKeyPair,
  withNextKey,
  withoutRetiredKeys,
  type WalletFacts,
  type WalletKey,
  type WalletSecret,
} from './wallet.ts';
