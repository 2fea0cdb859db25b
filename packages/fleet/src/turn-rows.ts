import type { RowChange } from '@clawbernetes/storage';
import type { AttemptRecord, WorkloadRecord } from './records.ts';
import { attemptRow, workloadRow } from './rows.ts';

/**
 * What one turn of the event loop changes. A workload or attempt that changes several times in it is written
 * once, as it is at the end: the rows of a turn are stored together or not at all.
 */
export class TurnRows {
  readonly #workloads = new Map<string, { workload: WorkloadRecord; readonly first: boolean }>();
  readonly #attempts = new Map<string, { attempt: AttemptRecord; readonly first: boolean }>();
  readonly #others: RowChange[] = [];

  workload(workload: WorkloadRecord, isNew: { readonly first: boolean }): void {
    const known = this.#workloads.get(workload.id);
    if (known) known.workload = workload;
    else this.#workloads.set(workload.id, { workload, ...isNew });
  }

  attempt(attempt: AttemptRecord, isNew: { readonly first: boolean }): void {
    const known = this.#attempts.get(attempt.id);
    if (known) known.attempt = attempt;
    else this.#attempts.set(attempt.id, { attempt, ...isNew });
  }

  /** Rows of other tables, and removals: what is removed is never written again. */
  other(changes: readonly RowChange[]): void {
    for (const change of changes) this.#others.push(change);
  }

  changes(): readonly RowChange[] {
    const changes: RowChange[] = [];
    for (const { workload, first } of this.#workloads.values())
      changes.push(workloadRow(workload, { first }));
    for (const { attempt, first } of this.#attempts.values()) changes.push(attemptRow(attempt, { first }));
    return changes.concat(this.#others);
  }
}
