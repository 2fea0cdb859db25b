import type { WorkBudget } from './work-budget.ts';

/**
 * A long computation that can be left off and taken up in another turn: whatever it yields is how many looks
 * it has taken since it yielded last (see `WorkBudget`).
 */
export type Sliced<Result> = Generator<number, Result, undefined>;

/** All of it in one piece. */
export function atOnce<Result>(computation: Sliced<Result>): Result {
  for (;;) {
    const step = computation.next();
    if (step.done === true) return step.value;
  }
}

/** Goes on until it is done or the budget is spent. Answers whether it is done. */
export function goOn(computation: Sliced<unknown>, work: WorkBudget): boolean {
  while (!work.isSpent) {
    const step = computation.next();
    if (step.done === true) return true;
    work.spend(step.value);
  }
  return false;
}

/** The entries one by one, with a chance to leave off after every few of them. @param looks of each. */
export function* sliced<Entry>(
  entries: Iterable<Entry>,
  looks: number,
  visit: (entry: Entry) => void,
): Sliced<void> {
  let count = 0;
  for (const entry of entries) {
    visit(entry);
    count += 1;
    if (count % ENTRIES_PER_PIECE === 0) yield ENTRIES_PER_PIECE * looks;
  }
}

/** Those for which the test holds. @param looks of each. */
export function* filtered<Entry>(
  entries: Iterable<Entry>,
  looks: number,
  test: (entry: Entry) => boolean,
): Sliced<readonly Entry[]> {
  const found: Entry[] = [];
  yield* sliced(entries, looks, (entry) => {
    if (test(entry)) found.push(entry);
  });
  return found;
}

const ENTRIES_PER_PIECE = 32;
