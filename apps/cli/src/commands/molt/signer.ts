import type { KeyPair } from '@clawbernetes/identity';
import { CodedError } from '@clawbernetes/kernel';
import type { CommandOutput } from '@clawbernetes/protocol';
import type { Client, OrderDraft, SignedOrder } from '@clawbernetes/sdk';
import { newNonce, newOrderId, signOrder } from '@clawbernetes/sdk/signed-order';
import type { Context } from '../../context.ts';
import { cliError } from '../../errors.ts';
import { askYes } from './ask.ts';
import type { SigningOptions } from './signing-options.ts';
import { walletAddress } from './wallet-address.ts';
import { withKey } from './with-key.ts';
import { writeNewFile } from './write-new-file.ts';

/** How long others have to sign what was saved for them. */
const SAVED_VALID_MS = 24 * 3_600_000;

/** Who signs, and for which ledger; the key is unlocked only when something is signed. */
export class Signer {
  readonly client: Client;
  readonly info: CommandOutput<'ledger.info'>;
  readonly address: string;
  readonly #context: Context;
  readonly #options: SigningOptions;
  #nonce = 0;

  private constructor(
    context: Context,
    options: SigningOptions,
    facts: Pick<Signer, 'client' | 'info' | 'address'>,
  ) {
    this.#context = context;
    this.#options = options;
    this.client = facts.client;
    this.info = facts.info;
    this.address = facts.address;
  }

  /** @throws CodedError as WalletFolder and Client do, `ledger-foreign`. */
  static async open(context: Context, options: SigningOptions): Promise<Signer> {
    const address = await walletAddress(context, options.wallet);
    const client = await context.client();
    const info = await client.command('ledger.info', {});
    const { ledger } = options;
    if (ledger !== undefined && ledger !== info.ledgerId) {
      throw cliError(
        'ledger-foreign',
        `The gateway at ${client.url} keeps the ledger ${info.ledgerId}, not ${ledger}; nothing was signed. ` +
          'Name the right gateway with --gateway.',
      );
    }
    return new Signer(context, options, { client, info, address });
  }

  /** For an escrow, a withdrawal or the like. */
  newId(): string {
    return newOrderId(this.info.timeMs, this.#context.random, this.address);
  }

  /**
   * Asks, signs and has the orders carried out, one after the other; with `--save` the last one is written to
   * a file instead. @returns whether they were carried out. @throws CodedError with the ledger's reason.
   */
  async carryOut(question: string, ...orders: readonly (OrderDraft | SignedOrder)[]): Promise<boolean> {
    const signed = await this.sign(question, (key) =>
      orders.map((order) => signOrder(key, order, this.#terms())),
    );
    const { save } = this.#options;
    if (save !== undefined) {
      await this.#save(save, signed);
      return false;
    }
    for (const order of signed) await this.#submit(order);
    return true;
  }

  /** Asks, and lets `use` sign. */
  async sign<T>(question: string, use: (key: KeyPair) => T): Promise<T> {
    const { network, ledgerId } = this.info;
    const where = `${network} network, ledger ${ledgerId}`;
    if (this.#options.yes !== true) await askYes(this.#context, `${question}\n(${where})`);
    return withKey(this.#context, this.#options, use);
  }

  #terms() {
    const { timeMs, ledgerId } = this.info;
    this.#nonce = Math.max(this.#nonce + 1, newNonce(timeMs, this.#context.random));
    const saved = this.#options.save === undefined ? {} : { validMs: SAVED_VALID_MS };
    return { ledgerId, timeMs, nonce: this.#nonce, ...saved };
  }

  async #submit(order: SignedOrder): Promise<void> {
    const { result, says } = await this.client.order(order);
    if (result !== 'ok') throw new CodedError(says, { code: result });
  }

  async #save(file: string, signed: readonly SignedOrder[]): Promise<void> {
    const target = await writeNewFile(this.#context, file, signed.at(-1));
    this.#context.remark(
      `Signed by ${this.address} and written to ${target}; nothing was moved. Others sign it within 24 hours with:\n` +
        `  clawbernetes molt sign ${file}`,
    );
  }
}
