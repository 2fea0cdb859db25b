import { createReadStream } from 'node:fs';
import path from 'node:path';
import { errorMessage } from '@clawbernetes/kernel';
import { requirePassphrase } from '@clawbernetes/identity/wallet';
import type { Context } from '../../context.ts';
import { invalidArguments } from '../../errors.ts';
import { askSecret } from './ask.ts';
import type { PassphraseSource } from './wallet-options.ts';

/** Longer than any passphrase that is accepted. */
const MAX_BYTES = 8192;

/** The passphrase of a wallet that exists. */
export async function readPassphrase(
  context: Context,
  source: PassphraseSource,
  wallet: string,
): Promise<string> {
  const given = await givenPassphrase(context, source, 'passphrase');
  const instead = '--passphrase-file or --passphrase-fd';
  return given ?? askSecret(context, `Passphrase of wallet ${wallet}`, { instead });
}

/** A new passphrase, asked for twice. @throws CodedError `weak-passphrase`. */
export async function readNewPassphrase(
  context: Context,
  source: PassphraseSource,
  { wallet, option = 'passphrase' }: { readonly wallet: string; readonly option?: string },
): Promise<string> {
  const given = await givenPassphrase(context, source, option);
  if (given !== undefined) {
    requirePassphrase(given);
    return given;
  }
  const instead = `--${option}-file or --${option}-fd`;
  const first = await askSecret(context, `New passphrase for wallet ${wallet}`, { check: weakness, instead });
  const check = (again: string): string | undefined =>
    again === first ? undefined : 'That is not the same. Type it again.';
  return askSecret(context, 'The same again', { check, instead });
}

function weakness(passphrase: string): string | undefined {
  try {
    requirePassphrase(passphrase);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

async function givenPassphrase(
  { config }: Context,
  { passphraseFile, passphraseFd }: PassphraseSource,
  option: string,
): Promise<string | undefined> {
  if (passphraseFile !== undefined && passphraseFd !== undefined) {
    throw invalidArguments(`Give --${option}-file or --${option}-fd, not both.`);
  }
  if (passphraseFile !== undefined) {
    return firstLine(`--${option}-file`, path.resolve(config.cwd, passphraseFile));
  }
  return passphraseFd === undefined ? undefined : firstLine(`--${option}-fd`, passphraseFd);
}

/** Without its end of line, so that `echo … > file` gives what one would type. */
async function firstLine(option: string, source: string | number): Promise<string> {
  const stream = typeof source === 'string' ? createReadStream(source) : createReadStream('', { fd: source });
  let bytes = Buffer.alloc(0);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.includes('\n') || bytes.length > MAX_BYTES) break;
    }
    const [line = ''] = bytes.toString('utf8', 0, MAX_BYTES).split('\n', 1);
    return line.replace(/\r$/, '');
  } catch (error) {
    throw invalidArguments(`${option} ${source} could not be read: ${errorMessage(error)}`);
  } finally {
    bytes.fill(0);
  }
}
