import { errorCode, errorMessage } from '@clawbernetes/kernel';
import type { RowReader } from '@clawbernetes/storage';
import { applyFrame, itemCount } from '../journal/apply-frame.ts';
import { chainHash, GENESIS } from '../journal/chain-hash.ts';
import { decodeFrame, type Frame } from '../journal/frame.ts';
import { readFrames, type StoredFrame } from '../journal/read-frames.ts';
import { LedgerMachine } from '../machine/ledger-machine.ts';
import { OrderMachine } from '../orders/order-machine.ts';
import type { AccountName } from '../orders/standard-accounts.ts';
import { isSigned } from '../service/request-signature.ts';
import { differentStoredId } from './compare-ids.ts';
import { AuditIds, type AuditScratch } from './audit-ids.ts';
import { assetTotals, type AuditReport, type Discrepancy } from './audit-report.ts';
import { newestFrame, readStoredState, stateHash, type StoredState } from './stored-state.ts';

/** Frames that were looked at, and how many there are to look at. */
export interface AuditProgress {
  readonly frames: number;
  readonly of: number;
}

export interface AuditOptions {
  readonly ledgerId: string;
  /**
   * The last frame to look at, unless the newest checkpoint is of a later one; default: all that there are.
   */
  readonly through?: number;
  readonly signal?: AbortSignal;
  /** Called a thousand times or so. */
  readonly onProgress?: (progress: AuditProgress) => void;
  /** Without it all ids are held in memory, 64 bytes each. */
  readonly scratch?: AuditScratch;
  /**
   * Of hash tables and fingerprints, as of `LedgerMachine`: a secret where those who wrote the journal must
   * not foresee it.
   */
  readonly seed?: number;
}

/** What an audit holds against a ledger; it looks on as far as it can. */
const MAX_DISCREPANCIES = 100;
const PROGRESS_STEPS = 1000;
/** Room for so many ids more that are pending. */
const PENDING_SHARE = 1.25;

/**
 * Recomputes the whole ledger from its first frame, believing nothing but the frames: every answer, every
 * signature, every balance, and the checkpoint from which it would start. Reads only; the ledger may be in
 * use. @throws CodedError as stores do, `audit-too-large`; the signal's reason.
 */
export async function auditLedger(rows: RowReader, options: AuditOptions): Promise<AuditReport> {
  const state = await readStoredState(rows);
  const audit = await Audit.open(rows, options, state);
  const of = Math.max(options.through ?? (await newestFrame(rows)), state?.sequence ?? 0);
  const step = Math.max(1, Math.floor(of / PROGRESS_STEPS));
  options.onProgress?.({ frames: 0, of });
  try {
    for await (const stored of readFrames(rows, 1, { ...options, through: of })) {
      if (!(await audit.follow(stored))) return await audit.report();
      if (stored.sequence % step === 0) options.onProgress?.({ frames: stored.sequence, of });
    }
  } catch (error) {
    // What else goes wrong says nothing about the ledger.
    if (errorCode(error) !== 'journal-damaged') throw error;
    audit.note('frame-missing', errorMessage(error));
    return await audit.report();
  }
  audit.end();
  return await audit.report();
}

class Audit {
  readonly #rows: RowReader;
  readonly #machine: LedgerMachine;
  readonly #orders: OrderMachine;
  readonly #ids: AuditIds | undefined;
  readonly #ledgerId: string;
  readonly #stored: StoredState | undefined;
  readonly #discrepancies: Discrepancy[] = [];
  #hash: Uint8Array = GENESIS;
  #sequence = 0;
  #operations = 0;
  #signatures = 0;

  private constructor(
    rows: RowReader,
    machine: LedgerMachine,
    {
      ids,
      stored,
      ledgerId,
    }: { ids: AuditIds | undefined; stored: StoredState | undefined; ledgerId: string },
  ) {
    this.#rows = rows;
    this.#machine = machine;
    this.#orders = new OrderMachine(machine);
    this.#ids = ids;
    this.#stored = stored;
    this.#ledgerId = ledgerId;
  }

  static async open(
    rows: RowReader,
    { ledgerId, scratch, seed = 1 }: AuditOptions,
    stored: StoredState | undefined,
  ): Promise<Audit> {
    const machine = new LedgerMachine(
      { seed },
      scratch ? { expectedIds: Math.ceil(PENDING_SHARE * scratch.heldIds) } : {},
    );
    const ids = scratch && (await AuditIds.open(machine, scratch));
    return new Audit(rows, machine, { ids, stored, ledgerId });
  }

  /** Whether it makes sense to look at the next frame. */
  async follow({ sequence, body, hash }: StoredFrame): Promise<boolean> {
    this.#sequence = sequence;
    const frame = this.#read(body);
    if (!frame) return false;
    this.#checkSignatures(frame);
    await this.#ids?.recall(frame.operations);
    if (!this.#apply(frame, body)) return false;
    if (Buffer.compare(this.#hash, hash) !== 0) {
      return this.note(
        'answers-differ',
        'The frame, or an answer to it, is not what it was when it was written.',
      );
    }
    if (sequence === this.#stored?.sequence) await this.#compare(this.#stored);
    await this.#ids?.keep(sequence);
    return true;
  }

  /** The journal ended where it should. */
  end(): void {
    const { sequence = 0 } = this.#stored ?? {};
    if (sequence <= this.#sequence) return;
    this.note('checkpoint-differs', `The newest checkpoint is of frame ${sequence}, which is not there.`);
  }

  note(kind: Discrepancy['kind'], message: string): false {
    if (this.#discrepancies.length < MAX_DISCREPANCIES)
      this.#discrepancies.push({ kind, sequence: this.#sequence, message });
    return false;
  }

  async report(): Promise<AuditReport> {
    await this.#ids?.settled();
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

  #read(body: Uint8Array): Frame | undefined {
    try {
      const frame = decodeFrame(body, this.#sequence);
      if (frame.operations.every((operation) => Number.isInteger(itemCount(operation)))) return frame;
      this.note('frame-damaged', `Frame ${this.#sequence} of the journal holds half an item.`);
    } catch (error) {
      this.note('frame-damaged', errorMessage(error));
    }
    return undefined;
  }

  #apply(frame: Frame, body: Uint8Array): boolean {
    try {
      const { results } = applyFrame(this.#machine, frame, this.#orders);
      this.#hash = chainHash(this.#hash, body, results);
      return true;
    } catch (error) {
      const message = `Frame ${this.#sequence} of the journal cannot be booked: ${errorMessage(error)}`;
      return this.note('frame-damaged', message);
    }
  }

  #checkSignatures({ operations }: Frame): void {
    for (const [index, operation] of operations.entries()) {
      this.#operations += 1;
      if (operation.authority === undefined && operation.kind !== 'orders') continue;
      this.#signatures += 1;
      if (!isSigned(operation, this.#ledgerId))
        this.note('signature-invalid', `Operation ${index} is not signed by whom it names.`);
    }
  }

  async #compare({ fault, hash, sequence }: StoredState): Promise<void> {
    if (fault !== undefined) this.note('checkpoint-differs', fault);
    else if (hash !== this.#stateHash())
      this.note('checkpoint-differs', 'The checkpoint is not the state that its frames lead to.');
    const different = await differentStoredId(this.#rows, sequence, {
      held: this.#machine.ids,
      aside: this.#ids,
    });
    if (different === undefined) return;
    const message = `The id ${different} is not remembered as its frame says. Restore the ids from a backup.`;
    this.note('ids-differ', message);
  }

  #stateHash(): string {
    return stateHash(this.#hash, this.#machine.snapshot(), this.#orders.snapshot().bytes());
  }
}

function accountText({ kind, owner }: AccountName): string {
  return owner === undefined ? kind : `${kind} of ${owner}`;
}
