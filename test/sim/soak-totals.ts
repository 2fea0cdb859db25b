import type { SeedResult } from './soak-process.ts';
import { missingTransitions, type TransitionCounts } from './transitions.ts';

export interface SoakTotals {
  readonly seeds: number;
  /** Simulated hours. */
  readonly hours: number;
  /** Frames that arrived. */
  readonly steps: number;
  readonly faults: number;
  readonly faultsPerHour: number;
  readonly cpuSeconds: number;
  readonly cpuSecondsPerHour: number;
  /** The first one of each seed, with the command that shows it again. */
  readonly violations: readonly { readonly command: string; readonly violation: string }[];
  readonly transitions: TransitionCounts;
  /** Transitions that no seed has shown. */
  readonly missing: readonly string[];
}

export function emptyTotals(): SoakTotals {
  const counts = { seeds: 0, hours: 0, steps: 0, faults: 0, faultsPerHour: 0 };
  const lists = { violations: [], transitions: {}, missing: missingTransitions({}) };
  return { ...counts, cpuSeconds: 0, cpuSecondsPerHour: 0, ...lists };
}

/** The totals with one more seed. */
export function totalsOf(before: SoakTotals, { report, violations, command }: SeedResult): SoakTotals {
  const hours = before.hours + (report?.simulatedHours ?? 0);
  const struck = Object.values(report?.faults ?? {}).reduce((sum, count) => sum + count, 0);
  const faults = before.faults + struck;
  const cpuSeconds = before.cpuSeconds + (report?.cpuSeconds ?? 0);
  const transitions = { ...before.transitions };
  for (const [key, count] of Object.entries(report?.transitions ?? {}))
    transitions[key] = (transitions[key] ?? 0) + count;
  const [violation] = violations;
  return {
    seeds: before.seeds + 1,
    hours,
    steps: before.steps + (report?.steps ?? 0),
    faults,
    faultsPerHour: hours === 0 ? 0 : faults / hours,
    cpuSeconds,
    cpuSecondsPerHour: hours === 0 ? 0 : cpuSeconds / hours,
    violations: violation === undefined ? before.violations : [...before.violations, { command, violation }],
    transitions,
    missing: missingTransitions(transitions),
  };
}
