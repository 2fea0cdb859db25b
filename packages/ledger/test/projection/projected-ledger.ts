import { present, seededRandom, silentLogger, type Random } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { encodeAccounts, encodeFreezes, Ledger, LEDGER_SCHEMA, TransferBatch } from '@clawbernetes/ledger';
import type { Operation } from '@clawbernetes/ledger';
import { RandomWorkload, SameThread } from '@clawbernetes/ledger/testing';
import { joinSchemas, type Row, type Schema, type Store } from '@clawbernetes/storage';
import { HISTORY_SCHEMA } from '../../src/projection/projection-schema.ts';
import { Projection } from '../../src/projection/projection.ts';
import type { ProjectorLink } from '../../src/projection/projector-thread.ts';
import { simulated } from './projected-disks.ts';

export const START_MS = Date.UTC(2026, 0, 1);
const LEDGER = {
  ledgerId: 'test',
  heldIds: 60,
  maxIdRuns: 4,
  rememberedMs: 0,
  framesInFlight: 3,
  frameBytes: 2000,
};
const HISTORY = { maxLagMovements: 10_000, maxLagFrames: 50, cacheBytes: 20_000 };

/** What keeps the ledger and outlives its crashes. */
export interface ProjectedDisk {
  open(schema: Schema): Promise<Store>;
  link(): ProjectorLink;
  /** From now on nothing that is under way is heard of; it may have happened or not. */
  crash(): Promise<void>;
  /** Lets what is under way go on for a moment. */
  turn(): Promise<void>;
}

/** A ledger with its history on such a disk, driven by one seed. */
export class ProjectedLedger {
  readonly clock = new VirtualClock({ startMs: START_MS });
  readonly random;
  readonly #disk: ProjectedDisk;
  readonly #workload: RandomWorkload;
  readonly #segmentMovements: number;
  #store: Store | undefined;
  #ledger: Ledger | undefined;
  #projection: Projection | undefined;

  constructor(
    seed: number,
    segmentMovements: number,
    diskOf: (deps: { readonly clock: VirtualClock; readonly random: Random }) => ProjectedDisk = simulated,
  ) {
    this.random = seededRandom(seed);
    this.#disk = diskOf(this);
    this.#workload = new RandomWorkload(this.random, START_MS);
    this.#segmentMovements = segmentMovements;
  }

  get projection(): Projection {
    return present(this.#projection, 'an open history');
  }

  get ledger(): Ledger {
    return present(this.#ledger, 'an open ledger');
  }

  async open(hasHistory = true): Promise<void> {
    const { clock, random } = this;
    const schema = joinSchemas([LEDGER_SCHEMA, HISTORY_SCHEMA]);
    const store = await this.#disk.open(schema);
    this.#store = store;
    const options = { ...HISTORY, segmentMovements: this.#segmentMovements };
    const opening = Projection.open({ store, logger: silentLogger, link: this.#disk.link() }, options);
    this.#projection = await this.#through(opening);
    const { projection } = this;
    const deps = { store, clock, random, logger: silentLogger, threads: new SameThread() };
    const opened = Ledger.open(hasHistory ? { ...deps, projection } : deps, LEDGER);
    this.#ledger = await this.#through(opened);
  }

  /** Submits some steps at once, and lets time pass, perhaps not enough for all of them to be stored. */
  async work(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      const operation = await this.#next();
      if (operation) this.ledger.submit(operation).catch(() => undefined);
      if (this.random.fraction() < 0.5) await this.clock.advance(this.random.fraction() * 4);
      if (this.random.fraction() < 0.5) await this.#disk.turn();
    }
  }

  async crash(): Promise<void> {
    await this.#disk.crash();
    await this.clock.advance(50);
    await this.#through(this.#close());
    await this.open();
  }

  async settle(): Promise<void> {
    await this.clock.advance(2000);
    await this.#through(this.ledger.settled());
    await this.#through(this.projection.settled());
  }

  account(id: bigint): ReturnType<Ledger['account']> {
    return this.#through(this.ledger.account(id));
  }

  async close(): Promise<void> {
    await this.settle();
    await this.#through(this.#close());
  }

  async segments(): Promise<readonly Row[]> {
    return present(this.#store, 'an open store').rows.selectFrom('ledger_segment').selectAll().execute();
  }

  async checkpoints(): Promise<readonly Row[]> {
    const { rows } = present(this.#store, 'an open store');
    return rows.selectFrom('ledger_checkpoint').select(['sequence']).execute();
  }

  /** All frames, as the store has them. */
  async frames(): Promise<readonly Uint8Array[]> {
    const rows: Row[] = await present(this.#store, 'an open store')
      .rows.selectFrom('ledger_frame')
      .select(['body'])
      .orderBy('sequence')
      .execute();
    return rows.map((row) => row['body'] as Uint8Array);
  }

  async #close(): Promise<void> {
    await this.#ledger?.[Symbol.asyncDispose]();
    await this.#projection?.[Symbol.asyncDispose]();
    await Promise.resolve(this.#store?.[Symbol.asyncDispose]()).catch(() => undefined);
  }

  /** What takes time of the simulated disk. */
  async #through<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    void Promise.allSettled([work]).then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 20_000; turn += 1) {
      await this.#disk.turn();
      if (isDone) return work;
      if (turn > 3) await this.clock.advance(1);
    }
    throw new Error('it takes time without end');
  }

  async #next(): Promise<Operation | undefined> {
    const step = this.#workload.next();
    // What else a workload knows is for a machine alone.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (step.kind) {
      case 'open':
        return { kind: 'accounts', items: encodeAccounts(step.accounts) };
      case 'transfer': {
        const batch = new TransferBatch(step.transfers.length);
        // Repeats of a transfer have its reference, too.
        for (const transfer of step.transfers) batch.add({ ...transfer, reference: transfer.id % 7n });
        return batch.count === 0 ? undefined : { kind: 'transfers', items: batch.bytes };
      }
      case 'freeze':
        return { kind: 'freezes', items: encodeFreezes([{ account: step.id, frozen: step.frozen }]) };
      case 'advance':
        await this.clock.advance(this.random.fraction() < 0.1 ? 5_000_000 : step.ms);
        return undefined;
      default:
        return undefined;
    }
  }
}
