import type { AttemptRecord } from '../../records.ts';

interface Generation {
  readonly number: number;
  /** Ids of the newest attempts, by rank. */
  readonly ids: (string | undefined)[];
}

/** Which attempts are the members of gangs: of each rank the newest, of the newest reservation only. */
export class GangMembers {
  readonly #newest = new Map<string, Generation>();

  /** @param attempt not added before; those of a workload in the order of their numbers. */
  add({ id, workloadId, generation, rank }: AttemptRecord): void {
    if (generation === undefined || rank === undefined) return;
    const known = this.#newest.get(workloadId);
    if (known && known.number > generation) return;
    const current = known?.number === generation ? known : { number: generation, ids: [] };
    current.ids[rank] = id;
    this.#newest.set(workloadId, current);
  }

  /** By rank, without ranks that were never placed. */
  ids(workloadId: string): readonly string[] {
    return (this.#newest.get(workloadId)?.ids ?? []).filter((id) => id !== undefined);
  }

  /** Of rank 0. */
  first(workloadId: string): string | undefined {
    return this.#newest.get(workloadId)?.ids[0];
  }

  has({ id, workloadId, rank }: AttemptRecord): boolean {
    return rank !== undefined && this.#newest.get(workloadId)?.ids[rank] === id;
  }

  delete(workloadId: string): void {
    this.#newest.delete(workloadId);
  }
}
