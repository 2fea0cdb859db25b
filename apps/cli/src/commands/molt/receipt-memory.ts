import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { readSignedReceipt, receiptJson, type SignedReceipt } from '@clawbernetes/sdk/receipts';
import type { Context } from '../../context.ts';
import { cliError } from '../../errors.ts';

/** As whom somebody signed it. */
export type Party = 'buyer' | 'provider';

/**
 * The newest receipt that was signed here, of each agreement: `<home>/receipts/<agreement>-<party>.json`,
 * about 1 KiB. So a provider counts on, and a buyer notices what is older than what he has signed.
 */
export class ReceiptMemory {
  readonly #context: Context;
  readonly #folder: string;

  constructor(context: Context) {
    this.#context = context;
    this.#folder = path.join(context.config.home, 'receipts');
  }

  async newest(agreement: string, party: Party): Promise<SignedReceipt | undefined> {
    const file = this.#file(agreement, party);
    try {
      return readSignedReceipt(JSON.parse(await readFile(file, 'utf8')));
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return undefined;
      const message =
        `${file} holds the newest receipt that you signed and could not be read (${errorMessage(cause)}). ` +
        'Restore it, or move it away: then only what was settled is known.';
      throw cliError('file-unreadable', message, { cause });
    }
  }

  /** Durably, before anybody else gets to see the signature. */
  async keep(party: Party, signed: SignedReceipt): Promise<void> {
    const file = this.#file(signed.receipt.agreement, party);
    const draft = `${file}.${Buffer.from(this.#context.random.bytes(6)).toString('hex')}.new`;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeDurably(draft, `${JSON.stringify(receiptJson(signed), undefined, 2)}\n`);
      await rename(draft, file);
      await using folder = await open(this.#folder, 'r');
      await folder.sync();
    } catch (cause) {
      await unlink(draft).catch(() => undefined);
      const message =
        `${file} could not be written (${errorMessage(cause)}); nothing was handed out. ` +
        'Make room there, and sign again.';
      throw cliError('file-unwritable', message, { cause });
    }
  }

  #file(agreement: string, party: Party): string {
    return path.join(this.#folder, `${agreement}-${party}.json`);
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(text);
  await handle.sync();
}
