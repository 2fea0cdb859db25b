import type { AttemptRecord } from '../../records.ts';

interface Generation {
  readonly number: number;
  /** By rank. */
  readonly newest: AttemptRecord[];
}

const NONE: readonly AttemptRecord[] = [];

/** Which attempts are the members of gangs: of each rank the newest, of the newest reservation only. */
export class GangMembers {
  readonly #generations = new Map<string, Generation>();

  /** @param attempt as it is now; new ones of a workload come in the order of their numbers. */
  put(attempt: AttemptRecord): void {
    const { workloadId, generation, rank, number } = attempt;
    if (generation === undefined || rank === undefined) return;
    const known = this.#generations.get(workloadId);
    if (known && known.number > generation) return;
    const current = known?.number === generation ? known : { number: generation, newest: [] };
    if ((current.newest[rank]?.number ?? 0) <= number) current.newest[rank] = attempt;
    this.#generations.set(workloadId, current);
  }

  /** By rank, without gaps. Not to be kept: it changes with the members. */
  of(workloadId: string): readonly AttemptRecord[] {
    return this.#generations.get(workloadId)?.newest ?? NONE;
  }

  delete(workloadId: string): void {
    this.#generations.delete(workloadId);
  }
}
