export {
  didDocument,
  type DidDocument,
  type DidDocumentFormat,
  type VerificationMethod,
} from './did-document.ts';
export { open, seal } from './sealed.ts';
export { encryptionPrivateKeyOf, encryptionPublicKeyOf, sharedSecret, x25519PublicKeyOf } from './x25519.ts';
