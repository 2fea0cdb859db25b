import { generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import { seededRandom, silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import {
  encodeAccounts,
  Ledger,
  MAX_BATCH_ITEMS,
  NO_FLOOR,
  SignerIds,
  signRequest,
  TRANSFER_FLAGS,
  TransferBatch,
  type Operation,
  type Projection,
} from '@clawbernetes/ledger';
import type { Store } from '@clawbernetes/storage';

export const LEDGER_ID = 'bench';
const ACCOUNTS = 10_000;
/** Accounts of one owner, who signs where requests are signed. */
const OWNER: KeyPair = generateKeyPair();

export interface LoadOptions {
  /** Two-phase transfers of a pair of batches. */
  readonly batch: number;
  /** Every transfer pays into one account. */
  readonly hot?: boolean;
  readonly signed?: boolean;
}

/** The pendings of a number of transfers, and the posts that complete them. */
export interface BatchPair {
  readonly pending: Operation;
  readonly post: Operation;
}

export function openLedger(store: Store, projection?: Projection): Promise<Ledger> {
  const deps = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
  return Ledger.open({ ...deps, ...(projection && { projection }) }, { ledgerId: LEDGER_ID });
}

export async function openAccounts(ledger: Ledger): Promise<void> {
  const { publicKey: owner } = OWNER;
  for (let first = 0; first < ACCOUNTS; first += 5000) {
    const accounts = Array.from({ length: 5000 }, (_, index) => {
      const id = BigInt(first + index + 1);
      return { id, owner, floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
    });
    await ledger.submit({ kind: 'accounts', items: encodeAccounts(accounts) });
  }
}

/** Makes transfers between random accounts; ids rise with the time, as those of real callers do. */
export class TransferLoad {
  readonly #random = seededRandom(1);
  readonly #ids = new SignerIds(OWNER.publicKey);
  #nonce = Date.now();

  pairs(count: number, options: LoadOptions): readonly BatchPair[] {
    return Array.from({ length: count }, () => this.pair(options));
  }

  pair({ batch, hot = false, signed = false }: LoadOptions): BatchPair {
    const [pending, post] = [new TransferBatch(batch), new TransferBatch(batch)];
    const nowMs = Date.now();
    for (let item = 0; item < batch; item += 1) {
      const id = this.#ids.next(nowMs);
      const debit = 2 + this.#below(ACCOUNTS - 1);
      const credit = hot ? 1 : 1 + (debit % (ACCOUNTS - 1)) + 1;
      const amount = BigInt(1 + this.#below(1000));
      const [debitAccount, creditAccount] = [BigInt(debit), BigInt(credit === debit ? 1 : credit)];
      pending.add({ id, debitAccount, creditAccount, amount, code: 1, flags: TRANSFER_FLAGS.pending });
      post.add({ id: this.#ids.next(nowMs), pendingId: id, code: 1, flags: TRANSFER_FLAGS.post });
    }
    return { pending: this.#operation(pending, signed), post: this.#operation(post, signed) };
  }

  #operation({ bytes: items }: TransferBatch, signed: boolean): Operation {
    if (!signed) return { kind: 'transfers', items };
    this.#nonce += 1;
    const expiresAtMs = Date.now() + 600_000;
    return signRequest(OWNER, {
      ledgerId: LEDGER_ID,
      kind: 'transfers',
      items,
      nonce: this.#nonce,
      expiresAtMs,
    });
  }

  #below(limit: number): number {
    return Math.floor(this.#random.fraction() * limit);
  }
}

/** Books pairs with a few on their way at once. @throws when any item is not booked. @returns ms. */
export async function book(ledger: Ledger, pairs: Iterable<BatchPair>): Promise<number> {
  const startMs = performance.now();
  const onTheWay: Promise<void>[] = [];
  for (const { pending, post } of pairs) {
    for (const operation of [pending, post]) onTheWay.push(ledger.submit(operation).then(assertBooked));
    while (onTheWay.length > 8) await onTheWay.shift();
  }
  await Promise.all(onTheWay);
  return performance.now() - startMs;
}

export function assertBooked(codes: Uint8Array): void {
  const failed = codes.find((code) => code !== 0);
  if (failed !== undefined) throw new Error(`A transfer of the benchmark was answered with code ${failed}.`);
}

export { MAX_BATCH_ITEMS };
