const MAX_LINES = 50_000;
const MAX_TOLD = 60;
/** Workloads, attempts and machines as they are called in violations. */
const NAMES = /\b(?:wl|at)-[0-9a-z]{20}\b|\bnode-\d+/g;

/** What happened lately, so that a violation can be told with what led to it. */
export class Trail {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * MAX_LINES) this.#lines.splice(0, MAX_LINES);
  }

  /** The newest lines that name what the text names, and all faults between them. */
  about(text: string): readonly string[] {
    const names = new Set<string>(text.match(NAMES));
    for (const line of this.#lines)
      if ([...names].some((name) => name.startsWith('at-') && line.includes(name)))
        for (const workload of line.match(/\bwl-[0-9a-z]{20}\b/g) ?? []) names.add(workload);
    const first = this.#lines.findIndex((line) =>
      [...names].some((name) => name.includes('t-') && line.includes(name)),
    );
    return this.#lines
      .slice(Math.max(0, first))
      .filter(
        (line) => / ms (fault|crash|gateway) /.test(line) || [...names].some((name) => line.includes(name)),
      )
      .slice(-MAX_TOLD);
  }
}
