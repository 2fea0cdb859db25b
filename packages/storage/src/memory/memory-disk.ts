import { assert, type Clock, type Random, type Timer } from '@clawbernetes/kernel';
import type { GroupOutcome } from '../row-shape.ts';
import { StorageFault } from '../storage-fault.ts';
import type { SqliteDatabase } from '../sqlite/sqlite-database.ts';
import type { SqliteGroup } from '../sqlite/sqlite-group.ts';

export interface MemoryDiskDeps {
  readonly clock: Clock;
  readonly random: Random;
}

export interface CommitLatency {
  readonly minMs: number;
  readonly maxMs: number;
}

interface InFlight {
  readonly group: SqliteGroup;
  readonly timer: Timer;
  reject(fault: StorageFault): void;
}

/**
 * A simulated disk: what is committed outlives the crash of its owner. Real SQLite in memory, so that SQL
 * means the same; time and chance come from the injected clock and random only.
 */
export class MemoryDisk {
  readonly #clock: Clock;
  readonly #random: Random;
  #latency: CommitLatency;
  #isFull = false;
  #database: SqliteDatabase | undefined;
  #owner: ((fault: StorageFault) => void) | undefined;
  #inFlight: InFlight | undefined;

  constructor({ clock, random }: MemoryDiskDeps, latency: CommitLatency = { minMs: 0.2, maxMs: 2 }) {
    this.#clock = clock;
    this.#random = random;
    this.#latency = latency;
  }

  /** From the next commit on. */
  setLatency(latency: CommitLatency): void {
    assert(latency.minMs >= 0 && latency.maxMs >= latency.minMs, 'a latency range has its ends in order');
    this.#latency = latency;
  }

  /** While full, every commit fails with `storage-full` and so does opening. */
  setFull(isFull: boolean): void {
    this.#isFull = isFull;
  }

  /**
   * The owner dies: what it has not committed is forgotten, everything it asks from now on is refused, and
   * the disk is free for the next owner. A commit under way is kept or lost by chance, and is not
   * acknowledged either way.
   */
  crash(): void {
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    inFlight?.timer.cancel();
    this.#database?.abandon();
    if (inFlight && !this.#isFull && this.#random.fraction() < 0.5) this.#database?.commit(inFlight.group);
    const fault = new StorageFault('storage-failed', 'the process crashed');
    inFlight?.reject(fault);
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.(fault);
  }

  /**
   * Taken by one store at a time; `lost` is called when it crashes. @throws StorageFault `storage-in-use`.
   */
  attach(open: () => SqliteDatabase, lost: (fault: StorageFault) => void): SqliteDatabase {
    if (this.#owner) throw new StorageFault('storage-in-use', 'another store has it open');
    if (this.#isFull) throw new StorageFault('storage-full', 'the simulated disk is full');
    this.#database ??= open();
    this.#owner = lost;
    return this.#database;
  }

  detach(lost: (fault: StorageFault) => void): void {
    if (this.#owner === lost) this.#owner = undefined;
  }

  /** Commits after the latency of this disk. One at a time. */
  commit(group: SqliteGroup): Promise<GroupOutcome> {
    assert(this.#inFlight === undefined, 'a disk commits one group at a time');
    const { promise, resolve, reject } = Promise.withResolvers<GroupOutcome>();
    const { minMs, maxMs } = this.#latency;
    const timer = this.#clock.after(minMs + (maxMs - minMs) * this.#random.fraction(), () => {
      this.#inFlight = undefined;
      resolve(this.#commitNow(group));
    });
    this.#inFlight = { group, timer, reject };
    return promise;
  }

  #commitNow(group: SqliteGroup): GroupOutcome {
    if (this.#isFull)
      return { committed: 0, fault: { code: 'storage-full', detail: 'the simulated disk is full' } };
    assert(this.#database !== undefined, 'a disk with a commit under way is open');
    return this.#database.commit(group);
  }
}
