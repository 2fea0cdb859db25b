import { generateKeyPair, type KeyPair } from '@clawbernetes/identity';
import { errorCode, seededRandom, type Random } from '@clawbernetes/kernel';
import {
  encodeAccounts,
  encodeFreezes,
  NO_FLOOR,
  resultName,
  signerId,
  signRequest,
  TRANSFER_FLAGS,
  TransferBatch,
  type Ledger,
  type Operation,
} from '@clawbernetes/ledger';
import { RandomWorkload } from '@clawbernetes/ledger/testing';
import { expect } from 'vitest';

export interface Answered {
  readonly operation: Operation;
  readonly results: readonly (string | undefined)[];
}

const UNSIGNED_LANES = 5;
const SIGNERS = 3;
const [RESERVED, POSTED] = [7n, 5n];
const HOUR_MS = 3_600_000;
/** Accounts of the signers, out of the way of those of the workload. */
const SOURCE = 5000n;
const SINK = 6000n;

/** Asks one thing after another; what was not answered first, in the very same bytes. */
class Lane {
  open: Operation | undefined;
  readonly #next: () => Operation;
  readonly #hear: (answered: Answered) => void;

  constructor(next: () => Operation, hear: (answered: Answered) => void) {
    this.#next = next;
    this.#hear = hear;
  }

  /** @returns the code of the error that has ended it; undefined once there is enough. */
  async run(ledger: Ledger, isEnough: () => boolean): Promise<string | undefined> {
    while (this.open || !isEnough()) {
      this.open ??= this.#next();
      const operation = this.open;
      try {
        const codes = await ledger.submit(operation);
        this.#hear({ operation, results: [...codes].map((code) => resultName(code)) });
        this.open = undefined;
      } catch (error) {
        return errorCode(error) ?? String(error);
      }
    }
    return undefined;
  }
}

/** Requests of all kinds, signed and unsigned, several at once, of one seed. */
export class RequestLoad {
  readonly answered: Answered[] = [];
  readonly #random: Random;
  readonly #startMs: number;
  readonly #ledgerId: string;
  readonly #workload: RandomWorkload;
  readonly #keys: readonly KeyPair[];
  readonly #lanes: readonly Lane[];
  #nonce = 0;

  constructor(seed: number, { ledgerId, nowMs }: { readonly ledgerId: string; readonly nowMs: number }) {
    this.#random = seededRandom(seed);
    this.#ledgerId = ledgerId;
    // Ids are made ahead of the time at which the workload is, never ahead of the ledger's.
    this.#startMs = nowMs - 10 * HOUR_MS;
    this.#workload = new RandomWorkload(this.#random, this.#startMs);
    this.#keys = Array.from({ length: SIGNERS }, () => generateKeyPair(this.#random));
    const hear = (answered: Answered): void => void this.answered.push(answered);
    this.#lanes = [
      ...Array.from({ length: UNSIGNED_LANES }, () => new Lane(() => this.#unsigned(), hear)),
      ...this.#keys.map((_, index) => new Lane(this.#signedBy(index), hear)),
    ];
  }

  /** What has no answer. */
  get open(): readonly Operation[] {
    return this.#lanes.flatMap(({ open }) => open ?? []);
  }

  /** The accounts of those who sign. */
  async prepare(ledger: Ledger): Promise<void> {
    const facts = { asset: 1, code: 1, flags: 0, floor: NO_FLOOR };
    const accounts = this.#keys.flatMap(({ publicKey: owner }, index) => [
      { id: SOURCE + BigInt(index), owner, ...facts },
      { id: SINK + BigInt(index), owner, ...facts },
    ]);
    await ledger.submit({ kind: 'accounts', items: encodeAccounts(accounts) });
  }

  /**
   * Goes on until the ledger fails, or there is enough and nothing is open.
   * @returns the codes of the errors that have ended it, one per lane.
   */
  async run(ledger: Ledger, isEnough: () => boolean): Promise<readonly (string | undefined)[]> {
    return Promise.all(this.#lanes.map((lane) => lane.run(ledger, isEnough)));
  }

  /** Every signer has each of his requests done, once: as much is posted as he has asked for. */
  async expectSigned(ledger: Ledger): Promise<void> {
    for (const [index, { publicKey }] of this.#keys.entries()) {
      const own = this.answered.filter(({ operation }) => operation.authority?.signer === publicKey);
      expect(new Set(own.flatMap(({ results }) => results))).toEqual(new Set(['ok']));
      const sink = await ledger.account(SINK + BigInt(index));
      expect(sink).toMatchObject({
        creditsPosted: POSTED * BigInt(own.length - 1),
        creditsPending: RESERVED,
      });
    }
  }

  /** Now and then again what was answered before. */
  #unsigned(): Operation {
    const earlier = this.answered[Math.floor(this.#random.fraction() * this.answered.length)];
    if (earlier && !earlier.operation.authority && this.#random.fraction() < 0.2) return earlier.operation;
    for (;;) {
      const operation = this.#fresh();
      if (operation) return operation;
    }
  }

  #fresh(): Operation | undefined {
    const step = this.#workload.next();
    if (step.kind === 'open') return { kind: 'accounts', items: encodeAccounts(step.accounts) };
    if (step.kind === 'freeze')
      return { kind: 'freezes', items: encodeFreezes([{ account: step.id, frozen: step.frozen }]) };
    if (step.kind !== 'transfer') return undefined;
    const batch = new TransferBatch(step.transfers.length);
    for (const transfer of step.transfers) batch.add(transfer);
    return { kind: 'transfers', items: batch.bytes };
  }

  /** Each reserves something, and posts what the one before has reserved. */
  #signedBy(index: number): () => Operation {
    const key = this.#keys[index] ?? generateKeyPair(this.#random);
    const between = { debitAccount: SOURCE + BigInt(index), creditAccount: SINK + BigInt(index) };
    const id = (count: number): bigint => signerId(this.#startMs, key.publicKey, count);
    let count = 0;
    return () => {
      count += 2;
      this.#nonce += 1;
      const batch = new TransferBatch(2);
      batch.add({ ...between, id: id(count), amount: RESERVED, code: 1, flags: TRANSFER_FLAGS.pending });
      if (count > 2)
        batch.add({
          id: id(count + 1),
          pendingId: id(count - 2),
          amount: POSTED,
          code: 1,
          flags: TRANSFER_FLAGS.post,
        });
      const expiresAtMs = this.#startMs + 100 * HOUR_MS;
      const request = { ledgerId: this.#ledgerId, nonce: this.#nonce, expiresAtMs };
      return signRequest(key, { kind: 'transfers', items: batch.bytes, ...request });
    };
  }
}
