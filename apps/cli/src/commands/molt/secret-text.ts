import { open } from 'node:fs/promises';
import path from 'node:path';
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import type { Context } from '../../context.ts';
import { cliError, invalidArguments } from '../../errors.ts';

/** Far more than a key file or 256 shares of 59 words have. */
const MAX_BYTES = 262_144;

/**
 * The text of a file with a secret that a user names; `-` is stdin. Says so if others may read it, and never
 * what is in it.
 */
export async function readSecretText(context: Context, file: string): Promise<string> {
  const { terminal, config } = context;
  return file === '-'
    ? readAll('stdin', terminal.stdin)
    : readFileText(context, path.resolve(config.cwd, file));
}

async function readFileText(context: Context, file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      context.remark(
        `${file} can be read by others (mode 0${(mode & 0o777).toString(8)}); run: chmod 600 ${file}`,
      );
    }
    return await readAll(file, handle.createReadStream());
  } catch (cause) {
    if (errorCode(cause) === 'invalid-arguments') throw cause;
    throw cliError('file-unreadable', `${file} could not be read: ${errorMessage(cause)}`, { cause });
  }
}

async function readAll(source: string, stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > MAX_BYTES)
      throw invalidArguments(`${source} has more than ${MAX_BYTES} bytes, more than any key.`);
  }
  return Buffer.concat(chunks).toString('utf8');
}
