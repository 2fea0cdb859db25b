// Shows that the hash table of wide keys is a map, whatever the keys have in common.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WideTable } from '../../src/machine/wide-table.ts';

type Key = readonly [number, number, number, number];

/** Words that callers would choose to make keys look alike. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 0x8000_0000, 0xffff_ffff, 0x9e3779b1),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const key = fc.tuple(word, word, word, word).filter((words) => words.some((part) => part !== 0));

/** Keys that differ in one word alone. */
const alike = fc
  .tuple(key, fc.nat(3), fc.uniqueArray(fc.integer({ min: 1, max: 0xffff_ffff }), { maxLength: 400 }))
  .map(([base, place, values]) =>
    values.map((value): Key => {
      const words = [...base] as [number, number, number, number];
      words[place] = value;
      return words;
    }),
  );

function check(seed: number, expected: number, keys: readonly Key[]): void {
  const table = new WideTable(seed, expected);
  const map = new Map<string, number>();
  for (const [index, words] of keys.entries()) {
    // The key lies where keys of a batch lie: somewhere within.
    const at = index % 3;
    const cells = Uint32Array.from([...Array.from({ length: at }, () => 7), ...words]);
    const found = table.find(cells, at);
    expect(found >= 0).toBe(map.has(words.join()));
    const place = found < 0 ? table.insert(found, cells, at) : found;
    table.set(place, 0, index);
    table.set(place, 3, ~index >>> 0);
    map.set(words.join(), index);
  }
  expect(table.size).toBe(map.size);
  for (const [name, index] of map) {
    const place = table.find(Uint32Array.from(name.split(','), Number), 0);
    expect([table.value(place, 0), table.value(place, 3)]).toEqual([index, ~index >>> 0]);
    expect([...table.entry(place).subarray(0, 4)].join()).toBe(name);
  }
  const listed = [...table.places()].map((place) => [...table.entry(place).subarray(0, 4)].join());
  expect(listed.toSorted()).toEqual([...map.keys()].toSorted());
}

test('any keys', () => {
  const keys = fc.oneof(fc.array(key, { maxLength: 60 }), alike);
  fc.assert(
    fc.property(fc.nat(), fc.nat(2000), keys, (seed, expected, all) => check(seed, expected, all)),
    { numRuns: 300 },
  );
});

test.each<[string, (index: number) => Key]>([
  ['that count up in the lowest word', (index) => [index + 1, 0, 0, 0]],
  ['that count up in the highest word', (index) => [0, 0, 0, index + 1]],
  ['of one time and in the order of their making', (index) => [index, index >>> 5, 0x1234, 0x19_b76d]],
  ['that are multiples of a large power of two', (index) => [0, (index << 12) >>> 0, index >>> 20, 1]],
])('50,000 keys %s: the table grows and nothing is lost', (_, keyOf) => {
  const table = new WideTable(1);
  for (let index = 0; index < 50_000; index += 1) {
    const words = Uint32Array.from(keyOf(index));
    table.set(table.insert(table.find(words, 0), words, 0), 2, index);
  }
  expect(table.size).toBe(50_000);
  let wrong = 0;
  for (let index = 0; index < 50_000; index += 1) {
    const place = table.find(Uint32Array.from(keyOf(index)), 0);
    if (place < 0 || table.value(place, 2) !== index) wrong += 1;
  }
  expect(wrong).toBe(0);
});

test('a key of zeros, which nothing is, is never found', () => {
  const table = new WideTable(1);
  const words = Uint32Array.from([0, 0, 0, 0, 5, 0, 0, 0]);
  expect(table.find(words, 0)).toBeLessThan(0);
  table.insert(table.find(words, 4), words, 4);
  expect(table.find(words, 0)).toBeLessThan(0);
});
