import type { WaitingGroup } from './waiting-group.ts';

/** How many groups wait, by queue and priority. */
export class GroupCounts {
  readonly #counts = new Map<string, Map<number, number>>();

  add({ queue, priority }: WaitingGroup, change: 1 | -1): void {
    const counts = this.#counts.get(queue) ?? new Map<number, number>();
    this.#counts.set(queue, counts);
    const count = (counts.get(priority) ?? 0) + change;
    if (count > 0) counts.set(priority, count);
    else counts.delete(priority);
    if (counts.size === 0) this.#counts.delete(queue);
  }

  some(test: (queue: string, priority: number) => boolean): boolean {
    for (const [queue, counts] of this.#counts)
      for (const priority of counts.keys()) if (test(queue, priority)) return true;
    return false;
  }
}
