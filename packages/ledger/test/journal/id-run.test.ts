// Shows that a run is sorted and can be stored whatever ids are in it, and however many.
import { seededRandom } from '@clawbernetes/kernel';
import { DEFAULT_STORE_LIMITS } from '@clawbernetes/storage';
import { describe, expect, it } from 'vitest';
import { ENTRY_WORDS, filterWords, PAGE_ENTRIES, sortedRun } from '../../src/journal/id-run.ts';
import { ID_STATE } from '../../src/machine/id-state.ts';

const MADE_AT_MS = Date.UTC(2026, 0, 1);

describe('a run', () => {
  it('is sorted where ids share all but their lowest bits', () => {
    const count = 200_000;
    const entries = new Uint32Array(count * ENTRY_WORDS);
    for (let entry = 0; entry < count; entry += 1) {
      const at = entry * ENTRY_WORDS;
      entries.set([count - entry, 7, 1, MADE_AT_MS / 65_536, 0, 0, 0, ID_STATE.done], at);
    }
    const run = sortedRun(entries);
    expect(run?.count).toBe(count);
    for (let entry = 0; entry < count; entry += 1)
      if (run?.entries[entry * ENTRY_WORDS] !== entry + 1) throw new Error(`entry ${entry} is out of place`);
  });

  it.each([1, 5])('is sorted where ids differ in any %i bits', (bits) => {
    const random = seededRandom(bits);
    const ids = new Set<bigint>();
    while (ids.size < 2 ** bits) {
      let id = 1n << 127n;
      for (let bit = 0; bit < bits; bit += 1) id |= BigInt(random.fraction() < 0.5) << BigInt(bit * 24);
      ids.add(id);
    }
    const entries = new Uint32Array(ids.size * ENTRY_WORDS);
    for (const [index, id] of [...ids].entries()) {
      const words = [0n, 32n, 64n, 96n].map((shift) => Number((id >> shift) & 0xffff_ffffn));
      entries.set([...words, 0, 0, 0, ID_STATE.done], index * ENTRY_WORDS);
    }
    const run = sortedRun(entries);
    const found = Array.from({ length: ids.size }, (_, index) =>
      [3, 2, 1, 0].reduce(
        (id, word) => (id << 32n) | BigInt(run?.entries[index * ENTRY_WORDS + word] ?? 0),
        0n,
      ),
    );
    expect(found).toEqual([...ids].toSorted((left, right) => (left < right ? -1 : 1)));
  });

  it('has what is done, and neither what waits nor what is free again', () => {
    const states = [ID_STATE.done, ID_STATE.live, ID_STATE.none, ID_STATE.posted, ID_STATE.failed];
    const entries = new Uint32Array(states.length * ENTRY_WORDS);
    for (const [index, state] of states.entries())
      entries.set([index + 1, 0, 0, 7, 0, 0, 0, state], index * ENTRY_WORDS);
    const run = sortedRun(entries);
    expect(run?.count).toBe(3);
    expect([0, 1, 2].map((entry) => run?.entries[entry * ENTRY_WORDS])).toEqual([1, 4, 5]);
    expect(sortedRun(entries.slice(ENTRY_WORDS, 3 * ENTRY_WORDS))).toBeUndefined();
  });

  it('has a filter that the store takes, of however many ids', () => {
    const most = 200_000_000;
    const firsts = 16 * Math.ceil(most / PAGE_ENTRIES);
    expect(4 * filterWords(most) + firsts).toBeLessThan(DEFAULT_STORE_LIMITS.maxBatchBytes);
    expect(filterWords(1_000_000)).toBe(375_000);
  });
});
