import { assert } from '@clawbernetes/kernel';

/** A map whose changes go over another one, and reach it only by `commit`. */
export class Draft<Value> {
  readonly #below: Draft<Value> | undefined;
  /** Undefined: deleted here. */
  readonly #own = new Map<bigint, Value | undefined>();
  #size: number;

  constructor(below?: Draft<Value>) {
    this.#below = below;
    this.#size = below?.size ?? 0;
  }

  get size(): number {
    return this.#size;
  }

  get(id: bigint): Value | undefined {
    return this.#own.has(id) ? this.#own.get(id) : this.#below?.get(id);
  }

  set(id: bigint, value: Value): void {
    if (this.get(id) === undefined) this.#size += 1;
    this.#own.set(id, value);
  }

  delete(id: bigint): void {
    if (this.get(id) === undefined) return;
    this.#size -= 1;
    if (this.#below) this.#own.set(id, undefined);
    else this.#own.delete(id);
  }

  commit(): void {
    assert(this.#below !== undefined, 'a draft is over something');
    for (const [id, value] of this.#own) {
      if (value === undefined) this.#below.delete(id);
      else this.#below.set(id, value);
    }
  }

  /** Of one that is over nothing, in the order of insertion. */
  values(): Value[] {
    assert(this.#below === undefined, 'only what is committed is listed');
    return [...this.#own.values()].filter((value) => value !== undefined);
  }
}
