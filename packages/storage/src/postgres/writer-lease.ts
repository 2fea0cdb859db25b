import { sleep, type Clock, type Random, type Timer } from '@clawbernetes/kernel';
import { StorageFault } from '../storage-fault.ts';
import type { PostgresConnection } from './postgres-connection.ts';
import { postgresFault } from './postgres-fault.ts';

export interface WriterLeaseOptions {
  readonly holder: string;
  readonly leaseMs: number;
  /** How long to wait for another holder's lease to run out. */
  readonly waitMs: number;
}

export interface WriterLeaseDeps {
  readonly connection: PostgresConnection;
  readonly clock: Clock;
  readonly random: Random;
}

const AFTER_LEASE = `clock_timestamp() + $1::float8 * interval '1 millisecond'`;
const TAKE = `update storage_writer set term = term + 1, holder = $2, expires_at = ${AFTER_LEASE}
  where id = 1 and expires_at <= clock_timestamp() returning term`;
const LOOK = `select holder, extract(epoch from expires_at - clock_timestamp()) * 1000 as rest_ms
  from storage_writer where id = 1`;
const RENEW = `update storage_writer set expires_at = ${AFTER_LEASE} where id = 1 and term = $2`;
const RELEASE = `update storage_writer set expires_at = '-infinity' where id = 1 and term = $1`;
/**
 * Divides by zero, and so spoils the transaction, unless the term is still ours; holds off a taker until its
 * end.
 */
const FENCE = `select 1 / count(*) as held
  from (select 1 from storage_writer where id = 1 and term = $1 for share) as writer`;

/**
 * The right to write, as a row. Time is the database's own. Safety does not rest on time, though: every
 * transaction checks the term under a lock, so a holder that lost its lease cannot commit, however late it
 * notices.
 */
export class WriterLease {
  readonly term: number;
  readonly #deps: WriterLeaseDeps;
  readonly #leaseMs: number;
  #timer: Timer | undefined;
  #renewedAtMs: number;
  #isRenewing = false;

  private constructor(deps: WriterLeaseDeps, term: number, leaseMs: number, takenAtMs: number) {
    this.#deps = deps;
    this.term = term;
    this.#leaseMs = leaseMs;
    this.#renewedAtMs = takenAtMs;
  }

  static async createTable({ execute }: PostgresConnection): Promise<void> {
    await execute(
      `create table if not exists storage_writer 
        (id bigint primary key, term bigint not null, holder text not null, expires_at timestamptz not null)`,
      [],
    );
    await execute(`insert into storage_writer values (1, 0, '', '-infinity') on conflict do nothing`, []);
  }

  /** @throws StorageFault `storage-in-use` when another holder keeps it longer than we wait. */
  static async take(
    deps: WriterLeaseDeps,
    { holder, leaseMs, waitMs }: WriterLeaseOptions,
  ): Promise<WriterLease> {
    const { connection, clock, random } = deps;
    const deadlineMs = clock.monotonicMs() + waitMs;
    for (;;) {
      const takenAtMs = clock.monotonicMs();
      const taken = await connection.execute(TAKE, [leaseMs, holder]);
      const term = taken.rows[0]?.['term'];
      if (typeof term === 'number') return new WriterLease(deps, term, leaseMs, takenAtMs);
      const [other] = (await connection.execute(LOOK, [])).rows;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) throw new StorageFault('storage-in-use', `its writer is ${String(other?.['holder'])}`);
      const pauseMs = Math.min(leftMs, Math.max(20, Number(other?.['rest_ms'] ?? 0)), 1000);
      await sleep(clock, pauseMs + 20 * random.fraction());
    }
  }

  /** To be sent first in every transaction, before it is awaited. @throws StorageFault `storage-fenced`. */
  async check(): Promise<void> {
    try {
      await this.#deps.connection.run({ text: FENCE, name: 'fence', values: [this.term] });
    } catch (error) {
      const fault = postgresFault(error);
      if (fault.code !== 'storage-rejected') throw fault;
      throw new StorageFault('storage-fenced', `term ${this.term} has ended`, { cause: error });
    }
  }

  /**
   * Renews three times per lease until released; `lost` is called once, when it is certain or likely to be
   * lost.
   */
  keep(lost: (fault: StorageFault) => void): void {
    const tick = (): void => {
      const fault = this.#expired();
      if (fault) return lost(fault);
      this.#timer = this.#deps.clock.after(this.#leaseMs / 3, tick);
      if (!this.#isRenewing)
        void this.#renew().catch((error: unknown) => this.#stop(lost, postgresFault(error)));
    };
    this.#timer = this.#deps.clock.after(this.#leaseMs / 3, tick);
  }

  async release(): Promise<void> {
    this.#timer?.cancel();
    await this.#deps.connection.execute(RELEASE, [this.term]);
  }

  async #renew(): Promise<void> {
    const sentAtMs = this.#deps.clock.monotonicMs();
    this.#isRenewing = true;
    const { changedRows } = await this.#deps.connection.execute(RENEW, [this.#leaseMs, this.term]);
    this.#isRenewing = false;
    if (changedRows !== 1) throw new StorageFault('storage-fenced', `term ${this.term} has ended`);
    this.#renewedAtMs = sentAtMs;
  }

  #stop(lost: (fault: StorageFault) => void, fault: StorageFault): void {
    this.#timer?.cancel();
    lost(fault);
  }

  #expired(): StorageFault | undefined {
    const silentMs = Math.round(this.#deps.clock.monotonicMs() - this.#renewedAtMs);
    if (silentMs <= this.#leaseMs) return undefined;
    return new StorageFault('storage-unavailable', `the lease could not be renewed for ${silentMs} ms`);
  }
}
