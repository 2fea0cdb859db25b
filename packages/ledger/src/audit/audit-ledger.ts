import { createHash } from 'node:crypto';
import { errorMessage } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';
import { applyFrame } from '../journal/apply-frame.ts';
import { chainHash, GENESIS } from '../journal/chain-hash.ts';
import { readCheckpoint, type Checkpoint } from '../journal/checkpoint.ts';
import { decodeFrame, type Frame } from '../journal/frame.ts';
import { readFrames, type StoredFrame } from '../journal/read-frames.ts';
import { LedgerMachine } from '../machine/ledger-machine.ts';
import type { Snapshot } from '../machine/snapshot.ts';
import { OrderMachine } from '../orders/order-machine.ts';
import type { AccountName } from '../orders/standard-accounts.ts';
import { isSigned } from '../service/request-signature.ts';

/** Something that is not as it should be; `sequence` is the frame at which it was found. */
export interface Discrepancy {
  readonly kind:
    | 'frame-missing'
    | 'frame-damaged'
    | 'answers-differ'
    | 'signature-invalid'
    | 'checkpoint-differs'
    | 'money-made-or-lost'
    | 'promise-uncovered';
  readonly sequence: number;
  readonly message: string;
}

/** Of one asset, base units as decimal strings. */
export interface AssetTotals {
  readonly asset: number;
  readonly accounts: number;
  /** Below zero: what the accounts that issue it have given out. */
  readonly issued: string;
  /** What all others hold; equal to what is issued. */
  readonly held: string;
  /** Reserved by transfers that are still pending. */
  readonly pending: string;
}

export interface AuditReport {
  /** SHA-256 over the chain hash and the whole state: equal for equal histories, on any engine. */
  readonly stateHash: string;
  readonly totals: {
    readonly frames: number;
    readonly operations: number;
    readonly signatures: number;
    readonly accounts: number;
    readonly pendingTransfers: number;
    readonly assets: readonly AssetTotals[];
  };
  /** Empty for a ledger that is right. */
  readonly discrepancies: readonly Discrepancy[];
}

export interface AuditOptions {
  readonly ledgerId: string;
  /** The last frame to look at; default: all that there are. */
  readonly through?: number;
  readonly signal?: AbortSignal;
}

/** What an audit holds against a ledger; it looks on as far as it can. */
const MAX_DISCREPANCIES = 100;

/**
 * Recomputes the whole ledger from its first frame, believing nothing but the frames: every answer, every
 * signature, every balance, and the checkpoint from which it would start. Reads only; the ledger may be in
 * use.
 */
export async function auditLedger(store: Store, options: AuditOptions): Promise<AuditReport> {
  const audit = new Audit(options, await readCheckpoint(store));
  try {
    for await (const stored of readFrames(store, 1, options)) if (!audit.follow(stored)) break;
  } catch (error) {
    options.signal?.throwIfAborted();
    audit.note('frame-missing', errorMessage(error));
  }
  return audit.report();
}

class Audit {
  // What a seed changes cannot be seen, and nobody chooses ids against an audit.
  readonly #machine = new LedgerMachine({ seed: 1 });
  readonly #orders = new OrderMachine(this.#machine);
  readonly #options: AuditOptions;
  readonly #checkpoint: Checkpoint | undefined;
  readonly #discrepancies: Discrepancy[] = [];
  #hash: Uint8Array = GENESIS;
  #sequence = 0;
  #operations = 0;
  #signatures = 0;

  constructor(options: AuditOptions, checkpoint: Checkpoint | undefined) {
    this.#options = options;
    this.#checkpoint = checkpoint;
  }

  /** Whether it makes sense to look at the next frame. */
  follow({ sequence, body, hash }: StoredFrame): boolean {
    this.#sequence = sequence;
    let frame: Frame;
    try {
      frame = decodeFrame(body, sequence);
    } catch (error) {
      return this.note('frame-damaged', errorMessage(error));
    }
    this.#checkSignatures(frame);
    this.#hash = chainHash(this.#hash, body, applyFrame(this.#machine, frame, this.#orders).results);
    if (Buffer.compare(this.#hash, hash) !== 0) {
      return this.note(
        'answers-differ',
        'The frame, or an answer to it, is not what it was when it was written.',
      );
    }
    if (sequence === this.#checkpoint?.sequence) this.#compare(this.#checkpoint);
    return true;
  }

  note(kind: Discrepancy['kind'], message: string): false {
    if (this.#discrepancies.length < MAX_DISCREPANCIES)
      this.#discrepancies.push({ kind, sequence: this.#sequence, message });
    return false;
  }

  report(): AuditReport {
    try {
      this.#machine.assertConservation();
    } catch (error) {
      this.note('money-made-or-lost', errorMessage(error));
    }
    for (const { account, amount, found } of this.#orders.deviations()) {
      // More is what somebody has paid in without an order, and lost.
      if (found < amount)
        this.note(
          'promise-uncovered',
          `The account ${accountText(account)} holds ${found} of ${amount} owed.`,
        );
    }
    return {
      stateHash: this.#stateHash(),
      totals: {
        frames: this.#sequence,
        operations: this.#operations,
        signatures: this.#signatures,
        accounts: this.#machine.accountCount,
        pendingTransfers: this.#machine.pendingCount,
        assets: assetTotals(this.#machine),
      },
      discrepancies: this.#discrepancies,
    };
  }

  #checkSignatures({ operations }: Frame): void {
    for (const [index, operation] of operations.entries()) {
      this.#operations += 1;
      if (operation.authority === undefined && operation.kind !== 'orders') continue;
      this.#signatures += 1;
      if (!isSigned(operation, this.#options.ledgerId))
        this.note('signature-invalid', `Operation ${index} is not signed by whom it names.`);
    }
  }

  #compare({ hash, snapshot, orders }: Checkpoint): void {
    if (stateHash(hash, snapshot, orders) !== this.#stateHash())
      this.note('checkpoint-differs', 'The checkpoint is not the state that its frames lead to.');
  }

  #stateHash(): string {
    return stateHash(this.#hash, this.#machine.snapshot(), this.#orders.snapshot().bytes());
  }
}

function accountText({ kind, owner }: AccountName): string {
  return owner === undefined ? kind : `${kind} of ${owner}`;
}

/** The sections of a snapshot have one order, so equal states have equal hashes. */
function stateHash(chain: Uint8Array, snapshot: Snapshot, orders: Uint8Array): string {
  const { timeMs, sinceMs, accounts, pending, requests } = snapshot;
  const hash = createHash('sha256').update(chain).update(`${timeMs} ${sinceMs} `);
  for (const section of [accounts, pending, requests, orders])
    hash.update(`${section.length} `).update(section);
  return hash.digest('hex');
}

function assetTotals(machine: LedgerMachine): readonly AssetTotals[] {
  const totals = new Map<number, { accounts: number; issued: bigint; held: bigint; pending: bigint }>();
  for (const { asset, creditsPosted, debitsPosted, debitsPending } of machine.accounts()) {
    const sums = totals.get(asset) ?? { accounts: 0, issued: 0n, held: 0n, pending: 0n };
    const balance = creditsPosted - debitsPosted;
    sums.accounts += 1;
    sums.pending += debitsPending;
    if (balance < 0n) sums.issued += balance;
    else sums.held += balance;
    totals.set(asset, sums);
  }
  return [...totals]
    .toSorted(([left], [right]) => left - right)
    .map(([asset, { accounts, issued, held, pending }]) => {
      return { asset, accounts, issued: String(issued), held: String(held), pending: String(pending) };
    });
}
