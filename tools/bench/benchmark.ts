/** Figures by name; groups nest. Units are part of the name: `jobsPerSecond`, `overheadMs.p99`. */
export interface Figures {
  readonly [name: string]: number | string | boolean | null | Figures;
}

export interface BenchmarkOptions {
  /** A few seconds that show that the benchmark still runs; its figures mean little. */
  readonly small: boolean;
  /** Of the options that the benchmark exports; those that were given. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Progress for people; never part of the result. */
  readonly log: (line: string) => void;
}

export interface BenchmarkReport {
  readonly results: Figures;
  /** What others reach at the same on this machine, measured beside it. */
  readonly peers: Figures;
  /** Results against peers: what the benchmark is for. */
  readonly ratios: Figures;
}

/** The default export of each file in test/perf. */
export type Benchmark = (options: BenchmarkOptions) => Promise<BenchmarkReport>;

/** An option that makes no sense: told without a trace. */
export class OptionError extends Error {}
