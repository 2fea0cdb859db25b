import type { Amounts } from './amounts.ts';

/** A workload that waits, or the part of an elastic one that does. */
export interface WaitingWork {
  readonly id: string;
  readonly queue: string;
  /** Higher is served first. Whole. */
  readonly priority: number;
  readonly submittedMs: number;
  /** All that it needs to start, of a gang the sum of its members. */
  readonly amounts: Amounts;
  readonly preemptible: boolean;
}

/**
 * Within a queue: by priority, then by submission, then by id. With `agingMs`, one step of priority is worth
 * that much waiting: then only finitely many can ever pass a workload, those submitted before a fixed time.
 * Without, an endless stream of higher priority keeps the lower ones waiting. Aging does not preempt.
 */
export function compareWithinQueue(one: WaitingWork, other: WaitingWork, agingMs = Infinity): number {
  const passed =
    agingMs === Infinity
      ? other.priority - one.priority || one.submittedMs - other.submittedMs
      : one.submittedMs - one.priority * agingMs - (other.submittedMs - other.priority * agingMs);
  return passed || one.submittedMs - other.submittedMs || compareText(one.id, other.id);
}

export function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
