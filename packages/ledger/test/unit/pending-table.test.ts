// Shows that what is pending expires in order and once, however slots are used again and whatever is undone.
import { seededRandom } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PendingTable } from '../../src/machine/pending-table.ts';

const FAR_MS = 1e15;

interface Waiting {
  readonly id: number;
  readonly amount: bigint;
  readonly atMs: number;
}

/** The table beside a plain list. */
class Twin {
  readonly table: PendingTable;
  readonly live = new Map<number, Waiting>();
  /** Ended, but not yet released: a chain could still bring them back. */
  readonly ended = new Map<number, Waiting>();
  #next = 1;

  constructor(maxPending = 1000) {
    this.table = new PendingTable(maxPending);
  }

  add(atMs: number): void {
    const waiting = { id: this.#next, amount: BigInt(this.#next) << 30n, atMs };
    const words = Uint32Array.from([9, waiting.id, 0, 0, 5]);
    const { id, amount } = waiting;
    const slot = this.table.add(words, 1, { debit: id + 1, credit: id + 2, amount, expiresAtMs: atMs });
    this.#next += 1;
    expect(this.live.has(slot) || this.ended.has(slot)).toBe(false);
    this.live.set(slot, waiting);
  }

  end(slot: number): void {
    this.table.end(slot);
    this.#move(slot, this.live, this.ended);
  }

  revive(slot: number): void {
    this.table.revive(slot);
    this.#move(slot, this.ended, this.live);
  }

  release(slot: number): void {
    this.table.release(slot);
    this.ended.delete(slot);
  }

  expire(nowMs: number): void {
    const due = [...this.live.values()].filter(({ atMs }) => atMs <= nowMs).map(({ atMs }) => atMs);
    const seen: number[] = [];
    for (let slot = this.table.expired(nowMs); slot >= 0; slot = this.table.expired(nowMs)) {
      seen.push(this.live.get(slot)?.atMs ?? NaN);
      this.end(slot);
      this.release(slot);
    }
    expect(seen).toEqual(due.toSorted((left, right) => left - right));
  }

  check(): void {
    expect(this.table.size).toBe(this.live.size);
    expect([...this.table.slots()]).toEqual([...this.live.keys()].toSorted((left, right) => left - right));
    for (const [slot, { id, amount, atMs }] of [...this.live, ...this.ended]) {
      expect([...this.table.ids.subarray(4 * slot, 4 * slot + 4)]).toEqual([id, 0, 0, 5]);
      expect([this.table.debit(slot), this.table.credit(slot)]).toEqual([id + 1, id + 2]);
      expect([this.table.amount(slot), this.table.expiresAtMs(slot)]).toEqual([amount, atMs]);
    }
    const first = Math.min(...[...this.live.values()].map(({ atMs }) => atMs));
    expect(this.table.nextExpiryMs).toBeLessThanOrEqual(first);
  }

  #move(slot: number, from: Map<number, Waiting>, to: Map<number, Waiting>): void {
    const waiting = from.get(slot);
    if (!waiting) return;
    from.delete(slot);
    to.set(slot, waiting);
  }
}

function nth<Item>(items: Iterable<Item>, number: number): Item | undefined {
  const all = [...items];
  return all[number % all.length];
}

test('any order of additions, ends, revivals and expiries', () => {
  const step = fc.tuple(fc.constantFrom('add', 'add', 'end', 'revive', 'release', 'expire'), fc.nat(40));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const twin = new Twin();
      let nowMs = 0;
      for (const [kind, number] of steps) {
        const live = nth(twin.live.keys(), number);
        const ended = nth(twin.ended.keys(), number);
        if (kind === 'add') twin.add(number % 5 === 0 ? Infinity : nowMs + number);
        else if (kind === 'expire') twin.expire((nowMs += number % 7));
        else if (kind === 'end' && live !== undefined) twin.end(live);
        else if (kind === 'revive' && ended !== undefined) twin.revive(ended);
        else if (kind === 'release' && ended !== undefined) twin.release(ended);
        twin.check();
      }
      twin.expire(FAR_MS);
    }),
    { numRuns: 200 },
  );
});

test('many thousands come and go: slots and entries of the past are used again', () => {
  const twin = new Twin(50_000);
  const random = seededRandom(5);
  for (let round = 0; round < 40; round += 1) {
    for (let more = 0; more < 500; more += 1) twin.add(1000 * round + Math.floor(random.fraction() * 60_000));
    // Most are completed long before their time, which leaves their heap entries behind.
    for (const slot of [...twin.live.keys()].filter(() => random.fraction() < 0.6)) {
      twin.end(slot);
      twin.release(slot);
    }
    twin.expire(1000 * round);
  }
  twin.check();
  expect(Math.max(...twin.table.slots())).toBeLessThan(2500);
  twin.expire(FAR_MS);
  expect(twin.table.size).toBe(0);
});

test('it is full when so many wait, and ends none twice', () => {
  const twin = new Twin(2);
  twin.add(1);
  expect(twin.table.isFull).toBe(false);
  twin.add(Infinity);
  expect(twin.table.isFull).toBe(true);
  twin.end(0);
  expect(twin.table.isFull).toBe(false);
  expect(() => twin.table.end(0)).toThrow('ends once');
});
