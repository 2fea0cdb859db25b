import type { Store } from '@clawbernetes/storage';
import type { Operation } from '../journal/frame.ts';
import { IdArchive } from '../journal/id-archive.ts';
import { ENTRY_WORDS, sortedRun, type IdRun } from '../journal/id-run.ts';
import { RunMemory } from '../journal/run-memory.ts';
import { recallOlder } from '../journal/recall-older.ts';
import type { SortedPages } from './merged-ids.ts';
import { storedRuns } from './stored-runs.ts';
import type { LedgerMachine } from '../machine/ledger-machine.ts';

const ENTRY_BYTES = ENTRY_WORDS * 4;

/** Where an audit keeps ids that it need not hold in memory. */
export interface AuditScratch {
  /** Empty, with the schema of a ledger, and nobody else's. */
  readonly store: Store;
  /** Ids that are held in memory before they are set aside. */
  readonly heldIds: number;
  /** @throws CodedError `audit-too-large` where so many bytes, of which `more` are new, have no room. */
  admit(bytes: number, more: number): Promise<void>;
}

/**
 * The ids of an audit, recomputed like all else: set aside in an archive of its own, which the ledger's runs
 * have nothing to do with. When they are set aside changes no answer.
 */
export class AuditIds {
  readonly #machine: LedgerMachine;
  readonly #scratch: AuditScratch;
  readonly #archive: IdArchive;
  #writing: Promise<void> = Promise.resolve();
  readonly #memory = new RunMemory();

  private constructor(machine: LedgerMachine, scratch: AuditScratch, archive: IdArchive) {
    this.#machine = machine;
    this.#scratch = scratch;
    this.#archive = archive;
  }

  static async open(machine: LedgerMachine, scratch: AuditScratch): Promise<AuditIds> {
    return new AuditIds(machine, scratch, await IdArchive.open(scratch.store, 0));
  }

  /** Before these are applied. */
  recall(operations: readonly Operation[]): Promise<void> {
    return recallOlder(this.#machine.ids, this.#archive, operations);
  }

  /** After the frame `sequence`; most often there is nothing to do. */
  async keep(sequence: number): Promise<void> {
    const { ids, pendingCount } = this.#machine;
    // What is pending stays and is copied each time: the more there is, the rarer that may be.
    if (ids.size - pendingCount < Math.max(this.#scratch.heldIds, pendingCount)) return;
    await this.#writing;
    const run = sortedRun(ids.setAside().entries, this.#memory);
    if (!run) return ids.archived();
    this.#writing = this.#write(run, sequence);
    // Awaited with the next, or at the end.
    this.#writing.catch(() => undefined);
  }

  /** All that were set aside, run by run. */
  async runs(): Promise<readonly SortedPages[]> {
    await this.#writing;
    return storedRuns(this.#scratch.store, Number.MAX_SAFE_INTEGER);
  }

  /** Resolves when nothing is being written. @throws what that failed with. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async #write(run: IdRun, sequence: number): Promise<void> {
    const { store } = this.#scratch;
    const { ids } = this.#machine;
    await this.#archive.dropBefore(ids.sinceMs);
    const bytes = this.#archive.size * ENTRY_BYTES;
    await this.#scratch.admit(bytes, run.count * ENTRY_BYTES);
    await this.#archive.write(run, sequence);
    await store.submit([this.#archive.runRow(run, sequence)]);
    this.#archive.added(run, sequence);
    ids.archived();
  }
}
