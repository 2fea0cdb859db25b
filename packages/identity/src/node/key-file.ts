import { link, mkdir, open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errorCode, errorMessage, systemRandom, type Random } from '@clawbernetes/kernel';
import { identityError } from '../errors.ts';
import { generateKeyPair, KEY_BYTES, keyPairOf, type KeyPair } from '../key-pair.ts';

const HEADER = 'clawbernetes-ed25519-private-key ';
const MAX_FILE_BYTES = 256;

/**
 * The key of `file`, made first if there is none: mode 0600, written whole and durably. Two processes that
 * start together end with the same key.
 * @throws CodedError `key-file-permissions` | `key-file-invalid` | `key-file-unreadable`.
 */
export async function loadOrCreateKeyFile(file: string, random: Random = systemRandom): Promise<KeyPair> {
  const found = await loadKeyFile(file);
  if (found) return found;
  try {
    await createKeyFile(file, generateKeyPair(random), random);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw unreadable(file, 'written', error);
  }
  const made = await loadKeyFile(file);
  if (!made) throw unreadable(file, 'read', new Error('it vanished after it was made'));
  return made;
}

/** The key of `file`, or undefined if there is no such file. */
export async function loadKeyFile(file: string): Promise<KeyPair | undefined> {
  let text: string | undefined;
  try {
    text = await readPrivate(file);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw errorCode(error)?.startsWith('key-file') ? error : unreadable(file, 'read', error);
  }
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

async function readPrivate(file: string): Promise<string> {
  await using handle = await open(file, 'r');
  const { mode, size } = await handle.stat();
  if ((mode & 0o077) !== 0) {
    throw identityError(
      'key-file-permissions',
      `${file} holds a private key but others may read it (mode 0${(mode & 0o777).toString(8)}). ` +
        `If nobody else can have read it, run: chmod 600 ${file}`,
      { path: file },
    );
  }
  return size > MAX_FILE_BYTES ? '' : await handle.readFile('utf8');
}

/** Written beside, then linked into place: a link never replaces a file that someone else made meanwhile. */
async function createKeyFile(file: string, key: KeyPair, random: Random): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${Buffer.from(random.bytes(6)).toString('hex')}.new`;
  try {
    await using handle = await open(draft, 'wx', 0o600);
    await handle.writeFile(`${HEADER}${Buffer.from(key.privateKey).toString('base64url')}\n`);
    await handle.sync();
    await link(draft, file);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  await using folder = await open(path.dirname(file), 'r');
  await folder.sync();
}

function unreadable(file: string, verb: 'read' | 'written', cause: unknown): Error {
  return identityError(
    'key-file-unreadable',
    `The private key ${file} could not be ${verb}: ${errorMessage(cause)}`,
    { path: file },
    { cause },
  );
}
