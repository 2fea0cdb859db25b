import { createReadStream } from 'node:fs';
import path from 'node:path';
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { readSignedReceipt, type SignedReceipt } from '@clawbernetes/sdk/receipts';
import type { Context } from '../../context.ts';
import { cliError } from '../../errors.ts';

/** Of a file that somebody else has made. */
const MAX_BYTES = 65_536;

/**
 * A receipt that somebody has sent; `-` is stdin. @throws CodedError `file-unreadable`, `receipt-malformed`.
 */
export async function readReceiptFile(context: Context, file: string): Promise<SignedReceipt> {
  const name = file === '-' ? 'stdin' : path.resolve(context.config.cwd, file);
  const source = file === '-' ? context.terminal.stdin : createReadStream(name);
  return readSignedReceipt(parsed(name, await textOf(name, source)));
}

async function textOf(name: string, source: AsyncIterable<Buffer | string>): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of source) {
      const bytes = Buffer.from(part);
      length += bytes.length;
      if (length > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
      parts.push(bytes);
    }
  } catch (cause) {
    throw unreadable(
      name,
      errorCode(cause) === 'ENOENT' ? 'there is no such file' : errorMessage(cause),
      cause,
    );
  }
  return Buffer.concat(parts).toString('utf8');
}

function parsed(name: string, text: string): unknown {
  if (text.trim() === '') throw unreadable(name, 'it is empty');
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw unreadable(name, 'it is no JSON', cause);
  }
}

function unreadable(name: string, why: string, cause?: unknown): Error {
  const message =
    `No receipt could be read from ${name}: ${why}. ` +
    'Name a file that "receipt propose" or "countersign" wrote, or - for stdin.';
  return cliError('file-unreadable', message, { cause });
}
