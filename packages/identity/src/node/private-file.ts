import { constants, type Stats } from 'node:fs';
import { link, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { errorCode, errorMessage, type Random } from '@clawbernetes/kernel';
import { identityError } from '../errors.ts';

/** What the file is for: begins the codes of its errors, and names it in messages. */
export type PrivateFileKind = 'key-file' | 'keystore';

const NOUNS = { 'key-file': 'private key', keystore: 'keystore' } as const;

/**
 * The text of a file that only its owner may read, or undefined if there is none.
 * @throws CodedError `<kind>-permissions` | `<kind>-unreadable`.
 */
export async function readPrivateFile(
  kind: PrivateFileKind,
  file: string,
  maxBytes: number,
): Promise<string | undefined> {
  try {
    // Without waiting: a pipe in place of the file would hold us for ever.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    requirePrivate(kind, file, stats);
    if (!stats.isFile()) throw new Error('it is no regular file');
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, more than ${maxBytes}`);
    return await handle.readFile('utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw errorCode(error) === `${kind}-permissions` ? error : unusable(kind, file, 'read', error);
  }
}

/**
 * Makes the file with mode 0600, whole and durable, and never in place of one that is there.
 * @throws CodedError `<kind>-exists` | `<kind>-unreadable`.
 */
export async function createPrivateFile(
  kind: PrivateFileKind,
  file: string,
  text: string,
  random: Random,
): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    // A link, unlike a rename, never replaces what someone else made meanwhile.
    await withDraft(file, text, random, (draft) => link(draft, file));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw unusable(kind, file, 'written', error);
    throw identityError(`${kind}-exists`, `${file} is there already; it was left as it is.`, { path: file });
  }
}

/**
 * Puts a new version in the file's place at once, durably; the old one is kept under `oldFile`.
 * @throws CodedError `<kind>-unreadable`.
 */
export async function replacePrivateFile(
  kind: PrivateFileKind,
  file: string,
  text: string,
  { oldFile, random }: { readonly oldFile: string; readonly random: Random },
): Promise<void> {
  try {
    await withDraft(file, text, random, async (draft) => {
      await link(file, oldFile);
      await rename(draft, file);
    });
  } catch (error) {
    throw unusable(kind, file, 'written', error);
  }
}

/** Writes the text beside the file; `publish` gives it its name, which is then made durable too. */
async function withDraft(
  file: string,
  text: string,
  random: Random,
  publish: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = `${file}.${Buffer.from(random.bytes(6)).toString('hex')}.new`;
  try {
    await writeDurably(draft, text);
    await publish(draft);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  await using folder = await open(path.dirname(file), 'r');
  await folder.sync();
}

async function writeDurably(draft: string, text: string): Promise<void> {
  await using handle: FileHandle = await open(draft, 'wx', 0o600);
  await handle.writeFile(text);
  await handle.sync();
}

function requirePrivate(kind: PrivateFileKind, file: string, { mode }: Stats): void {
  if ((mode & 0o077) === 0) return;
  throw identityError(
    `${kind}-permissions`,
    `${file} holds a ${NOUNS[kind]} but others may read it (mode 0${(mode & 0o777).toString(8)}). ` +
      `If nobody else can have read it, run: chmod 600 ${file}`,
    { path: file },
  );
}

function unusable(kind: PrivateFileKind, file: string, verb: 'read' | 'written', cause: unknown): Error {
  return identityError(
    `${kind}-unreadable`,
    `The ${NOUNS[kind]} ${file} could not be ${verb}: ${errorMessage(cause)}`,
    { path: file },
    { cause },
  );
}
