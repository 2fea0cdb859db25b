// Shows that ids by owner come newest first from any place, whatever was added and deleted, as a plain list
// would give them; and that escrows and agreements are found so, also after a snapshot.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LedgerMachine } from '../../src/index.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { SortedIds } from '../../src/orders/sorted-ids.ts';
import { address, molt, OrderWorld } from './order-world.ts';

const idOf = (number: number): string => number.toString(16).padStart(32, '0');

describe('sorted ids', () => {
  test('are those of a plain list', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(3000)), { maxLength: 4000, size: 'max' });
    fc.assert(
      fc.property(steps, fc.nat(3001), (changes, cursor) => {
        const [ids, plain] = [new SortedIds(), new Set<string>()];
        for (const [isAdded, number] of changes) {
          ids[isAdded ? 'add' : 'delete'](idOf(number));
          plain[isAdded ? 'add' : 'delete'](idOf(number));
        }
        const newest = [...plain].toSorted().reverse();
        expect([...ids.newest()]).toEqual(newest);
        expect([...ids.newest(idOf(cursor))]).toEqual(newest.filter((id) => id < idOf(cursor)));
        expect(ids.isEmpty).toBe(plain.size === 0);
      }),
      { numRuns: 60 },
    );
  });

  test('of many blocks stay in order when they come and go anywhere', () => {
    const ids = new SortedIds();
    const numbers = Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 20_000);
    for (const number of numbers) ids.add(idOf(number));
    for (const number of numbers) if (number % 3 !== 0) ids.delete(idOf(number));
    const kept = Array.from({ length: 6667 }, (_, index) => idOf(3 * (6666 - index)));
    expect([...ids.newest()]).toEqual(kept);
    expect([...ids.newest(idOf(3))]).toEqual([idOf(0)]);
  });
});

describe('escrows of an owner', () => {
  test('are there by every part, the newest first, until they are forgotten, also after a snapshot', () => {
    const at = new OrderWorld();
    at.fundParties();
    const agreement = at.leased();
    const leased = at.orders.agreement(agreement)?.escrow;
    at.wait(1000);
    const other = at.funded({ amount: molt(1) });
    const restored = new OrderMachine(new LedgerMachine({ seed: 7 }, { maxAccounts: 100 }));
    restored.restore(at.orders.snapshot().bytes());
    for (const orders of [at.orders, restored]) {
      const escrows = [...orders.escrowsOf(address('buyer'))].map(({ id }) => id);
      expect(escrows).toEqual([other, leased]);
      expect([...orders.escrowsOf(address('provider'), other)].map(({ id }) => id)).toEqual([leased]);
      expect([...orders.agreementsOf(address('provider'))].map(({ id }) => id)).toEqual([agreement]);
      expect([...orders.escrowsOf(address('other'))]).toEqual([]);
    }
    for (let days = 0; days < 45; days += 1) at.wait(86_400_000);
    expect([...at.orders.escrowsOf(address('buyer'))]).toEqual([]);
    expect([...at.orders.agreementsOf(address('buyer'))]).toEqual([]);
  });
});
