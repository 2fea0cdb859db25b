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
  sharesNeeded,
  splitSecret,
  type ShareGroup,
  type SplitOptions,
} from './slip39/shares.ts';
