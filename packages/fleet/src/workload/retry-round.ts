import { compareTurns, FIRST_TURN, FirstInTurn, type InLine, type Place } from './turn-line.ts';

export interface RoundSizes {
  /** So many are looked at in one turn. */
  readonly looked: number;
  /** And so many are chosen at once: each choice looks at all. */
  readonly chosen: number;
}

const SIZES: RoundSizes = { looked: 5000, chosen: 2000 };

interface Search<Entry> {
  readonly entries: Iterator<Entry, void>;
  readonly first: FirstInTurn<Entry & InLine>;
}

/** Gives all who may be worth another try their turn, in their order, over as many turns as that takes. */
export class RetryRound<Entry extends InLine> {
  readonly #sizes: RoundSizes;
  #search: Search<Entry> | undefined;
  /** Those that come next, with their places when they were chosen. */
  #chosen: readonly Place<Entry>[] = [];
  /** There may be others behind them. */
  #isMore = false;
  /** Those up to it had their turn. */
  #done = FIRST_TURN;

  constructor(sizes: RoundSizes = SIZES) {
    this.#sizes = sizes;
  }

  /** Whether some may be left. */
  get isUnderWay(): boolean {
    return this.#search !== undefined || this.#chosen.length > 0 || this.#isMore;
  }

  /** Whether it stands behind some who have not had their turn. */
  isLater(entry: InLine): boolean {
    return this.isUnderWay && compareTurns(entry, this.#done) > 0;
  }

  /** The next, `most` of them; none while they are looked for. @param all is asked for when that begins. */
  next(most: number, all: () => Iterable<Entry, void>): readonly Entry[] {
    if (!this.isUnderWay) this.#done = FIRST_TURN;
    if (this.#chosen.length === 0 && !this.#choose(all)) return [];
    const next = this.#chosen.slice(0, most);
    this.#chosen = this.#chosen.slice(most);
    this.#done = next.at(-1) ?? this.#done;
    return next.map(({ entry }) => entry);
  }

  /** It was given its turn and stands further behind now. */
  putBack(entry: Entry): void {
    const { priority, sinceMs, number } = entry;
    const at = this.#chosen.findIndex((place) => compareTurns(entry, place) < 0);
    // Behind all who were chosen it is found again, if there are others.
    if (at < 0 && this.#isMore) return;
    this.#chosen = this.#chosen.toSpliced(at < 0 ? this.#chosen.length : at, 0, {
      ...{ entry, priority, sinceMs, number },
    });
  }

  /** Answers whether it is done. */
  #choose(all: () => Iterable<Entry, void>): boolean {
    this.#search ??= {
      entries: all()[Symbol.iterator](),
      first: new FirstInTurn(this.#sizes.chosen, this.#done),
    };
    const { entries, first } = this.#search;
    for (let count = 0; count < this.#sizes.looked; count += 1) {
      const next = entries.next();
      if (next.done !== true) {
        first.add(next.value);
        continue;
      }
      this.#search = undefined;
      this.#chosen = first.inOrder();
      this.#isMore = this.#chosen.length === this.#sizes.chosen;
      return true;
    }
    return false;
  }
}
