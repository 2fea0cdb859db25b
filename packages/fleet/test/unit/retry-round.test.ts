// Shows that a round gives everybody a turn, in order, however many there are, and that who moves back or
// goes meanwhile neither loses his own nor takes that of others.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RetryRound } from '../../src/workload/retry-round.ts';
import { compareTurns, type InLine } from '../../src/workload/turn-line.ts';

interface Entry extends InLine {
  sinceMs: number;
}

const entry = fc.record({ priority: fc.nat(2), sinceMs: fc.nat(20) });
const sizes = fc.record({ looked: fc.integer({ min: 1, max: 12 }), chosen: fc.integer({ min: 1, max: 9 }) });

function entriesOf(
  all: readonly { readonly priority: number; readonly sinceMs: number }[],
): readonly Entry[] {
  return all.map((one, number) => ({ ...one, number }));
}

test('all have their turn once, in order', () => {
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 40 }),
      sizes,
      fc.integer({ min: 1, max: 5 }),
      (all, limits, most) => {
        const entries = entriesOf(all);
        const round = new RetryRound<Entry>(limits);
        const told: Entry[] = [];
        do {
          const next = round.next(most, () => entries);
          expect(next.length).toBeLessThanOrEqual(most);
          told.push(...next);
          for (const one of entries) expect(round.isLater(one)).toBe(round.isUnderWay && !told.includes(one));
        } while (round.isUnderWay);
        expect(told).toEqual(entries.toSorted(compareTurns));
      },
    ),
  );
});

test('who moves back is given another turn, and nobody loses his', () => {
  const moves = fc.array(fc.record({ which: fc.nat(40), byMs: fc.integer({ min: 1, max: 30 }) }), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), sizes, moves, (all, limits, changes) => {
      const entries = entriesOf(all);
      const round = new RetryRound<Entry>(limits);
      const tried = new Set<Entry>();
      const left = [...changes];
      do {
        const next = round.next(3, () => entries);
        const move = left.shift();
        const moved = move && entries[move.which % entries.length];
        if (moved) moved.sinceMs += move.byMs;
        for (const one of next)
          if (round.isLater(one)) round.putBack(one);
          else tried.add(one);
      } while (round.isUnderWay);
      expect(tried.size).toBe(entries.length);
    }),
  );
});
