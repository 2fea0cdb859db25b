import { SortedIds } from './sorted-ids.ts';

/** Which of many things are an owner's. It follows from the things, and is not stored. */
export class OwnerIndex {
  readonly #owners = new Map<string, SortedIds>();

  add(id: string, owners: ReadonlySet<string>): void {
    for (const owner of owners) {
      const ids = this.#owners.get(owner) ?? new SortedIds();
      ids.add(id);
      this.#owners.set(owner, ids);
    }
  }

  delete(id: string, owners: ReadonlySet<string>): void {
    for (const owner of owners) {
      const ids = this.#owners.get(owner);
      ids?.delete(id);
      if (ids?.isEmpty) this.#owners.delete(owner);
    }
  }

  /** Ids of what is the owner's, the newest first. @param before only those before this one. */
  newest(owner: string, before?: string): Iterable<string> {
    return this.#owners.get(owner)?.newest(before) ?? [];
  }
}
