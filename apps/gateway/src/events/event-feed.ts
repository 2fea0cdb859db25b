import type { EventView } from '@clawbernetes/protocol';
import type { Changes } from '../changes.ts';

const RECENT = 10_000;
const PAGE = 500;
/** A silent feed wakes up this often, so that an abandoned one notices. */
const WAIT_MS = 30_000;
const KEY = 'events';

interface EventSource {
  events(query: { readonly from: number; readonly limit: number }): Promise<EventView[]>;
}

/**
 * The fleet's event log as streams that resume at any sequence number: recent events come from memory, older
 * ones from the store. Sequence numbers have no gaps, so an event's place in memory follows from its number.
 */
export class EventFeed {
  readonly #changes: Changes;
  readonly #source: EventSource;
  #recent: EventView[] = [];

  constructor(changes: Changes, source: EventSource) {
    this.#changes = changes;
    this.#source = source;
  }

  /** Takes over events that have become durable, in order. */
  publish(events: readonly EventView[]): void {
    for (const event of events) this.#recent.push(event);
    if (this.#recent.length > 2 * RECENT) this.#recent = this.#recent.slice(-RECENT);
    this.#changes.notify(KEY);
  }

  /** Pages of events from `from` on, for ever; the pages do not overlap and leave no gap. */
  async *follow(
    from: number,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<readonly EventView[], void, undefined> {
    let next = from;
    while (!signal.aborted) {
      const page = await this.#page(next);
      const last = page.at(-1);
      if (last) {
        yield page;
        next = last.sequence + 1;
      } else {
        await this.#changes.next([KEY], WAIT_MS, { signal });
      }
    }
  }

  async #page(from: number): Promise<readonly EventView[]> {
    const first = this.#recent[0]?.sequence ?? Infinity;
    if (from >= first) return this.#recent.slice(from - first, from - first + PAGE);
    const stored = await this.#source.events({ from, limit: PAGE });
    // The store may be a moment ahead of memory; what is there too comes from there, later.
    const oldest = this.#recent[0]?.sequence ?? Infinity;
    const older = stored.filter((event) => event.sequence < oldest);
    return older.length > 0 || oldest === Infinity ? older : this.#recent.slice(0, PAGE);
  }
}
