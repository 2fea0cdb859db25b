// Shows that the table of ids is a map, in whatever order ids come and however its index is cut into parts.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdTable } from '../../src/machine/id-table.ts';

interface Id {
  readonly timeMs: number;
  readonly number: number;
}

function wordsOf({ timeMs, number }: Id): Uint32Array {
  return Uint32Array.from([number, 7, (timeMs % 65_536) * 65_536, Math.floor(timeMs / 65_536)]);
}

const id = fc.record({ timeMs: fc.nat(200_000), number: fc.integer({ min: 1, max: 4 }) });
/** Ids of a caller whose clock goes on, with some that come late and some from the future. */
const rising = fc.array(fc.record({ stepMs: fc.nat(40), jumpMs: fc.constantFrom(0, 0, 0, -300, 60_000) }), {
  minLength: 50,
  maxLength: 400,
});

function check(table: IdTable, ids: readonly Id[]): void {
  const known = new Map<string, number>();
  for (const [index, one] of ids.entries()) {
    const words = wordsOf(one);
    if (index % 7 === 0)
      table.touch(Uint32Array.from([...words, ...wordsOf({ timeMs: 5, number: 1 })]), 0, 4);
    const found = table.find(words, 0);
    expect(found >= 0).toBe(known.has(words.join()));
    const place = found < 0 ? table.insert(found, words, 0) : found;
    table.set(place, 2, index);
    known.set(words.join(), index);
  }
  expect(table.size).toBe(known.size);
  for (const [key, index] of known)
    expect(table.value(table.find(Uint32Array.from(key.split(','), Number), 0), 2)).toBe(index);
  expect([...table.places()].map((place) => [...table.entry(place).subarray(0, 4)].join())).toEqual([
    ...known.keys(),
  ]);
}

test('ids of any times', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(20),
      fc.integer({ min: 1, max: 30 }),
      fc.array(id, { maxLength: 300 }),
      checkTwice,
    ),
  );
});

function checkTwice(seed: number, expected: number, partIds: number, ids: readonly Id[]): void {
  const table = new IdTable(seed, expected, partIds);
  check(table, ids);
  table.clear();
  expect(table.size).toBe(0);
  check(table, ids.toReversed());
}

test('ids that rise with the time, but for some', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 30 }), rising, (partIds, steps) => {
      let timeMs = 1_000_000;
      const ids = steps.map(({ stepMs, jumpMs }, number) => ({
        timeMs: (timeMs += stepMs) + jumpMs,
        number,
      }));
      check(new IdTable(1, 0, partIds), ids);
    }),
  );
});

test('its index is cut as ids come in the order of their times, and not for ids of one ms', () => {
  const [cut, level] = [new IdTable(1, 0, 100), new IdTable(1, 0, 100)];
  for (let number = 1; number <= 1000; number += 1) {
    for (const [table, timeMs] of [
      [cut, 1000 + number],
      [level, 1000],
    ] as const) {
      const words = wordsOf({ timeMs, number });
      table.touch(words, 0, 4);
      table.insert(table.find(words, 0), words, 0);
    }
  }
  expect(cut.partCount).toBeGreaterThan(5);
  expect(cut.partCount).toBeLessThan(20);
  expect(level.partCount).toBeLessThanOrEqual(2);
});
