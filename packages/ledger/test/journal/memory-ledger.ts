import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  encodeAccounts,
  Ledger,
  LEDGER_SCHEMA,
  NO_FLOOR,
  TransferBatch,
  type LedgerDeps,
  type LedgerOptions,
} from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { MemoryDisk, openMemoryStore, type Store, type StoreLimits } from '@clawbernetes/storage';

export const START_MS = Date.UTC(2026, 0, 1);
const FACTS = { owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };

/** A ledger on a simulated disk of which every commit takes 5 ms, with the accounts 1 and 2. */
export class MemoryLedger {
  readonly clock = new VirtualClock({ startMs: START_MS });
  readonly disk = new MemoryDisk({ clock: this.clock, random: seededRandom(2) }, { minMs: 5, maxMs: 5 });
  readonly #options: Partial<LedgerOptions>;
  #ids = 0;

  constructor(options: Partial<LedgerOptions> = {}) {
    this.#options = options;
  }

  openStore(limits: Partial<StoreLimits> = {}): Promise<Store> {
    return openMemoryStore({ clock: this.clock }, this.disk, { schema: LEDGER_SCHEMA, ...limits });
  }

  async open(store: Store, more: Pick<Partial<LedgerDeps>, 'logger' | 'time'> = {}): Promise<Ledger> {
    const random = seededRandom(1);
    const deps = {
      ...{ clock: this.clock, random, logger: silentLogger, threads: new SameThread(), store },
      ...more,
    };
    const ledger = await this.through(Ledger.open(deps, { ledgerId: 'test', ...this.#options }));
    const accounts = encodeAccounts([1n, 2n].map((id) => ({ ...FACTS, id })));
    await this.through(ledger.submit({ kind: 'accounts', items: accounts }));
    return ledger;
  }

  /** Moves one unit each from 1 to 2, under ids of this time. */
  transfers(count: number, madeAtMs = this.clock.nowMs()): Uint8Array {
    const batch = new TransferBatch(count);
    for (let item = 0; item < count; item += 1) {
      this.#ids += 1;
      const id = (BigInt(madeAtMs) << 80n) | BigInt(this.#ids);
      batch.add({ id, debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 });
    }
    return batch.bytes;
  }

  /** Submits a batch. @returns names of what became of it: `ok`, or the code of the error. */
  submit(ledger: Ledger, items: Uint8Array): Promise<string> {
    return ledger.submit({ kind: 'transfers', items }).then(
      (codes) => (codes.every((code) => code === 0) ? 'ok' : `code ${codes.find((code) => code !== 0)}`),
      (error: unknown) => String((error as { code?: unknown }).code ?? error),
    );
  }

  /** What can happen without time passing. */
  async turns(count = 3): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass until the work is done. */
  async through<Result>(work: PromiseLike<Result>): Promise<Result> {
    let isDone = false;
    void Promise.allSettled([work]).then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 20_000; turn += 1) {
      await this.turns(1);
      if (isDone) return work;
      if (turn > 2) await this.clock.advance(1);
    }
    throw new Error('it takes time without end');
  }
}

/** Numbers of the rows of a table. */
export async function sequences(store: Store, table: string): Promise<readonly number[]> {
  const rows = await store.rows.selectFrom(table).select('sequence').orderBy('sequence').execute();
  return rows.map((row) => Number(row['sequence']));
}
