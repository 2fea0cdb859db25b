import type { Violation } from './rule.ts';

/** Sizes that were over the limit when a rule came, by key. They may shrink and never grow. */
export type Ratchet = Readonly<Record<string, number>>;

export interface Judgement {
  readonly failures: readonly Violation[];
  /**
   * The ratchet as it should be written: lower where something shrank, without what is within the limit now.
   */
  readonly next: Ratchet;
}

/** Forgives the violations that `ratchet` knows and that have not grown. */
export function judge(violations: readonly Violation[], ratchet: Ratchet): Judgement {
  const known = (violation: Violation): boolean =>
    violation.measure !== undefined && violation.measure.amount <= (ratchet[violation.measure.key] ?? 0);
  return {
    failures: violations.filter((violation) => !known(violation)),
    next: Object.fromEntries(
      violations.filter(known).flatMap(({ measure }) => (measure ? [[measure.key, measure.amount]] : [])),
    ),
  };
}
