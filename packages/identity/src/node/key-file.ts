import { errorCode, systemRandom, type Random } from '@clawbernetes/kernel';
import { identityError } from '../errors.ts';
import { generateKeyPair, KEY_BYTES, keyPairOf, type KeyPair } from '../key-pair.ts';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

const HEADER = 'clawbernetes-ed25519-private-key ';
/** Far more than a key file has; what is larger is none. */
const MAX_FILE_BYTES = 65_536;

/**
 * The key of `file`, made first if there is none: mode 0600, written whole and durably. Two processes that
 * start together end with the same key.
 * @throws CodedError `key-file-permissions` | `key-file-invalid` | `key-file-unreadable`.
 */
export async function loadOrCreateKeyFile(file: string, random: Random = systemRandom): Promise<KeyPair> {
  const found = await loadKeyFile(file);
  if (found) return found;
  const key = Buffer.from(generateKeyPair(random).privateKey).toString('base64url');
  try {
    await createPrivateFile('key-file', file, `${HEADER}${key}\n`, random);
  } catch (error) {
    if (errorCode(error) !== 'key-file-exists') throw error;
  }
  const made = await loadKeyFile(file);
  if (made) return made;
  throw identityError('key-file-unreadable', `The private key ${file} vanished after it was made.`, {
    path: file,
  });
}

/** The key of `file`, or undefined if there is no such file. */
export async function loadKeyFile(file: string): Promise<KeyPair | undefined> {
  const text = await readPrivateFile('key-file', file, MAX_FILE_BYTES);
  if (text === undefined) return undefined;
  const key = Buffer.from(text.slice(HEADER.length).trim(), 'base64url');
  if (!text.startsWith(HEADER) || key.length !== KEY_BYTES) {
    throw identityError(
      'key-file-invalid',
      `${file} is not a private key of Clawbernetes. Restore it from a backup, ` +
        'or move it away: then a new key, and with it a new identity, is made.',
      { path: file },
    );
  }
  return keyPairOf(new Uint8Array(key));
}
