import { BinaryHeap } from '@clawbernetes/kernel';
import { compareInQueue } from '../scheduler/queues/queue-plan-order.ts';

/** What stands in a line. */
export interface InLine {
  readonly priority: number;
  /** Since when the first of it waits, as of now. */
  readonly sinceMs: number;
  /** In the order of arrival; of equals the smaller goes first. */
  readonly number: number;
}

/** Where one stood. */
export interface Place<Entry> extends InLine {
  readonly entry: Entry;
}

/** Places that are left over before they are looked for, besides as many as there are entries. */
const MAX_LEFT_OVER = 32;

/** Of higher priority first, then who has waited longer. */
export function compareTurns(one: InLine, other: InLine): number {
  return compareInQueue(one, other) || one.number - other.number;
}

/**
 * Who is tried next. It lasts over turns, since one turn may not get to the end of it; each entry is in it
 * once.
 */
export class TurnLine<Entry extends InLine> {
  readonly #places = new BinaryHeap<Place<Entry>>((one, other) => compareTurns(one, other) < 0);
  /** The place that counts; others of the same entry are left over. */
  readonly #placeOf = new Map<Entry, Place<Entry>>();

  /** Does nothing if it has such a place already. */
  push(entry: Entry): void {
    const { priority, sinceMs, number } = entry;
    const known = this.#placeOf.get(entry);
    if (known && known.sinceMs <= sinceMs) return;
    const place = { entry, priority, sinceMs, number };
    this.#placeOf.set(entry, place);
    this.#places.push(place);
  }

  delete(entry: Entry): void {
    this.#placeOf.delete(entry);
    // Without this what is left over would stay until its turn.
    if (this.#places.size > 2 * this.#placeOf.size + MAX_LEFT_OVER)
      this.#places.keep((place) => this.#placeOf.get(place.entry) === place);
  }

  get first(): Entry | undefined {
    for (let { first } = this.#places; first; first = this.#places.first) {
      const { entry, sinceMs } = first;
      const isIn = this.#placeOf.get(entry) === first;
      if (isIn && entry.sinceMs <= sinceMs) return entry;
      this.#places.pop();
      if (!isIn) continue;
      // The one that had waited longest has gone: those that are left have waited less.
      this.#placeOf.delete(entry);
      this.push(entry);
    }
    return undefined;
  }

  /** The first, which stands in it no more. */
  take(): Entry | undefined {
    const { first } = this;
    if (!first) return undefined;
    this.#places.pop();
    this.#placeOf.delete(first);
    return first;
  }
}

/** Before all that wait. */
export const FIRST_TURN: InLine = { priority: Infinity, sinceMs: -Infinity, number: -Infinity };

/** The first so many by their turns of those that it is given, as they stood then, behind `after`. */
export class FirstInTurn<Entry extends InLine> {
  readonly #count: number;
  readonly #after: InLine;
  /** The last of them at hand. */
  readonly #first = new BinaryHeap<Place<Entry>>((one, other) => compareTurns(one, other) > 0);

  constructor(count: number, after: InLine = FIRST_TURN) {
    this.#count = count;
    this.#after = after;
  }

  add(entry: Entry): void {
    if (compareTurns(entry, this.#after) <= 0) return;
    const last = this.#first.size >= this.#count ? this.#first.first : undefined;
    if (last && compareTurns(last, entry) <= 0) return;
    if (last) this.#first.pop();
    const { priority, sinceMs, number } = entry;
    this.#first.push({ entry, priority, sinceMs, number });
  }

  /** Once: it is empty afterwards. */
  inOrder(): readonly Place<Entry>[] {
    const found: Place<Entry>[] = [];
    for (let { first } = this.#first; first; first = this.#first.first) {
      found.push(first);
      this.#first.pop();
    }
    return found.reverse();
  }
}
