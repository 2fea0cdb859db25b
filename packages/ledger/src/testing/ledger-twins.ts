import { deepStrictEqual } from 'node:assert';
import { encodeAccounts } from '../machine/account-record.ts';
import { u32 } from '../machine/cells.ts';
import { entryState } from '../machine/id-memory.ts';
import { ID_STATE } from '../machine/id-state.ts';
import { LedgerMachine, type MachineOptions } from '../machine/ledger-machine.ts';
import { resultName, type ResultName } from '../machine/result-code.ts';
import { readTransfer, TransferBatch, type Transfer } from '../machine/transfer-record.ts';
import { NaiveLedger } from './naive-ledger.ts';
import { OutcomeMirror } from './outcome-mirror.ts';
import type { LedgerStep } from './random-workload.ts';

export interface TwinOptions {
  readonly startMs: number;
  readonly maxAccounts: number;
  readonly maxPending: number;
}

export const DEFAULT_TWINS: TwinOptions = {
  startMs: Date.UTC(2026, 0, 1),
  maxAccounts: 10,
  maxPending: 10,
};

/** The machine and the naive ledger side by side: each step goes to both, and nothing may differ after. */
export class LedgerTwins {
  /** Every answer so far, and how often it was given. */
  readonly answers = new Map<ResultName, number>();
  readonly #naive: NaiveLedger;
  readonly #mirror = new OutcomeMirror();
  readonly #options: MachineOptions;
  /** What the machine set aside: entries by the four words of their id. */
  #archive = new Map<bigint, Uint32Array>();
  #machine: LedgerMachine;
  #seed = 1;
  #sinceMs = 0;
  #steps = 0;

  constructor({ startMs, maxAccounts, maxPending }: TwinOptions = DEFAULT_TWINS) {
    this.#options = { maxAccounts, maxPending, expectedIds: 0 };
    this.#naive = new NaiveLedger({ maxAccounts, maxPending });
    this.#machine = new LedgerMachine({ seed: this.#seed }, this.#options);
    this.#advance(startMs);
  }

  get machine(): LedgerMachine {
    return this.#machine;
  }

  /** @returns what both answered. @throws AssertionError as soon as they differ. */
  apply(step: LedgerStep): readonly ResultName[] {
    this.#steps += 1;
    const answers = this.#answers(step);
    for (const answer of answers) this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
    this.#compareState();
    return answers;
  }

  #answers(step: LedgerStep): readonly ResultName[] {
    switch (step.kind) {
      case 'open':
        return same(
          namesOf(this.#machine.openAccounts(this.#shifted(encodeAccounts(step.accounts)), step.signer)),
          this.#naive.openAccounts(step.accounts, step.signer),
        );
      case 'transfer':
        return this.#transfer(step.transfers, step.signer);
      case 'freeze':
        return same(namesOf([this.#machine.setFrozen(step.id, step.frozen)]), [
          this.#naive.setFrozen(step.id, step.frozen),
        ]);
      case 'advance':
        this.#advance(this.#naive.timeMs + step.ms);
        return [];
      case 'forget':
        this.#forget(this.#naive.timeMs - step.ageMs);
        return [];
      case 'archive':
        this.#setAside();
        return [];
      case 'restart':
        this.#restart();
        return [];
    }
  }

  #transfer(transfers: readonly Transfer[], signer: Uint8Array | undefined): ResultName[] {
    const batch = new TransferBatch(transfers.length);
    for (const transfer of transfers) batch.add(transfer);
    const ids = transfers.flatMap(({ id, pendingId }) => [id, pendingId]);
    this.#machine.ids.recall(
      [...new Set(ids)].map((id) => this.#archive.get(id)).filter((entry) => entry !== undefined),
    );
    // As they are read back: what is the pending id of one kind is the debit account of another.
    const sent = transfers.map((_, index) => readTransfer(batch.bytes, index));
    const results = namesOf(this.#machine.transfer(this.#shifted(batch.bytes), signer));
    this.#mirror.note(this.#machine, sent);
    return same(results, this.#naive.transfer(sent, signer));
  }

  #advance(timeMs: number): void {
    const expired = this.#machine.advance(timeMs);
    for (const expiry of expired) this.#mirror.expire(expiry);
    deepStrictEqual(
      expired.map(({ id }) => id),
      [...this.#naive.advance(timeMs)],
    );
  }

  #forget(timeMs: number): void {
    this.#sinceMs = Math.max(this.#sinceMs, timeMs);
    this.#machine.forgetBefore(timeMs);
    this.#naive.forgetBefore(timeMs);
    for (const id of this.#archive.keys()) if (Number(id >> 80n) < this.#sinceMs) this.#archive.delete(id);
  }

  /** Every other time the archive lags behind: until `archived` the ids are still found where they were. */
  #setAside(): void {
    const { ids } = this.#machine;
    ids.archived();
    const table = ids.setAside();
    for (const place of table.places()) {
      const entry = table.entry(place).slice();
      const state = entryState(entry);
      if (state !== ID_STATE.none && state !== ID_STATE.live) this.#archive.set(idOf(entry), entry);
    }
    if (this.#steps % 2 === 0) ids.archived();
  }

  #restart(): void {
    const { ids } = this.#machine;
    const [snapshot, entries] = [this.#machine.snapshot(), [...ids.entries()].map((entry) => entry.slice())];
    this.#seed += 1;
    const next = new LedgerMachine({ seed: this.#seed }, this.#options);
    next.restore(snapshot, entries);
    next.ids.archivedUntil(ids.asideUntilMs);
    deepStrictEqual(next.snapshot(), snapshot);
    this.#machine = next;
  }

  #compareState(): void {
    this.#machine.assertConservation();
    this.#mirror.compare(this.#machine);
    const seen = [...this.#machine.accounts()];
    deepStrictEqual(
      seen,
      this.#naive.accounts().map(({ owner: _owner, ...account }) => account),
    );
    deepStrictEqual(this.#machine.pendingCount, this.#naive.pendingCount);
  }

  /** The same bytes where 64-bit words do not begin, every other time. */
  #shifted(bytes: Uint8Array): Uint8Array {
    if (this.#steps % 2 === 0) return bytes;
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    return shifted;
  }
}

function same(seen: ResultName[], expected: readonly ResultName[]): ResultName[] {
  deepStrictEqual(seen, [...expected]);
  return seen;
}

function namesOf(codes: Iterable<number>): ResultName[] {
  return [...codes].map((code) => {
    const name = resultName(code);
    if (name === undefined) throw new RangeError(`${code} is no result code.`);
    return name;
  });
}

function idOf(entry: Uint32Array): bigint {
  let id = 0n;
  for (let word = 3; word >= 0; word -= 1) id = (id << 32n) | BigInt(u32(entry, word));
  return id;
}
