/**
 * A read-only view of an engine's JSON. Engines leave fields out, and newer ones add some, so reading never
 * throws: what is absent or of another type is undefined (or empty), and the caller says what that means.
 * Written out rather than a zod schema: zod adds 17 MiB to the small supervisor process, which lives as long
 * as the node.
 */
export class EngineReply {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  at(...path: readonly string[]): EngineReply {
    let value = this.#value;
    for (const key of path) value = isRecord(value) ? value[key] : undefined;
    return new EngineReply(value);
  }

  text(): string | undefined {
    return typeof this.#value === 'string' ? this.#value : undefined;
  }

  number(): number | undefined {
    return typeof this.#value === 'number' ? this.#value : undefined;
  }

  flag(): boolean | undefined {
    return typeof this.#value === 'boolean' ? this.#value : undefined;
  }

  items(): readonly EngineReply[] {
    return Array.isArray(this.#value) ? this.#value.map((item: unknown) => new EngineReply(item)) : [];
  }

  keys(): readonly string[] {
    return isRecord(this.#value) ? Object.keys(this.#value) : [];
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
