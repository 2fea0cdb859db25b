// Shows that whatever is ordered, no money is made or lost, escrows end once, and replays and restores agree.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { seededRandom, type Random } from '@clawbernetes/kernel';
import { ORDER_RESULTS } from '@clawbernetes/orders';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LedgerMachine } from '../../src/index.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import type { Escrow } from '../../src/orders/records.ts';
import { molt, OrderWorld, type WorldEvent } from './order-world.ts';
import { RandomOrders } from './random-orders.ts';

/** ORDERS_STEPS=200000 ORDERS_SEED=7 vitest run … makes the long run of another seed. */
const STEPS = Number(process.env['ORDERS_STEPS'] ?? 2000);
const SEED = Number(process.env['ORDERS_SEED'] ?? 1);
const STEPS_PER_WORLD = 250;
const DAY_MS = 86_400_000;
/** Settings under which there is little room, and some of what is traded comes to too little. */
const NARROW = { maxOpen: 4, minEscrow: molt(10) };

/** Runs a history step by step; after each, what ended has not changed. */
function run(chance: Pick<Random, 'fraction'>, steps: number, settings: object): OrderWorld {
  const at = new OrderWorld({ settings });
  for (const name of ['buyer', 'provider', 'other'] as const) {
    at.stake(name, 150);
    at.give(name, 5000);
  }
  const orders = new RandomOrders(chance, at);
  const ended = new Map<string, Escrow>();
  for (let step = 0; step < steps; step += 1) {
    orders.step();
    for (const escrow of at.orders.escrows()) checkEnd(ended, escrow);
  }
  return at;
}

/** An escrow that has ended holds nothing, and only a dispute moves what was paid back to the buyer. */
function checkEnd(ended: Map<string, Escrow>, escrow: Escrow): void {
  const before = ended.get(escrow.id);
  if (before) {
    expect(escrow.endedAtMs).toBeDefined();
    expect(escrow.funded).toBe(before.funded);
    expect(escrow.paid).toBeLessThanOrEqual(before.paid);
  }
  if (escrow.endedAtMs === undefined) return;
  expect(escrow.remaining).toBe(0n);
  expect(escrow.paid + escrow.refunded).toBe(escrow.funded);
  ended.set(escrow.id, escrow);
}

/** Runs events on fresh machines, which are put back from their snapshots before the event `cut`. */
function replay(
  history: readonly WorldEvent[],
  cut: number,
): { readonly codes: number[]; readonly state: string } {
  let machine = new LedgerMachine({ seed: 99 });
  let orders = new OrderMachine(machine);
  const codes: number[] = [];
  for (const [index, event] of history.entries()) {
    if (index === cut) [machine, orders] = restored(machine, orders);
    machine.advance(event.timeMs);
    orders.advance(event.timeMs);
    if ('bytes' in event) codes.push(orders.applyBytes(event.bytes, event.timeMs));
    if ('account' in event) machine.setFrozen(event.account, event.frozen);
  }
  return { codes, state: stateOf(machine, orders) };
}

function restored(machine: LedgerMachine, orders: OrderMachine): [LedgerMachine, OrderMachine] {
  const ids = [...machine.ids.entries()].map((entry) => entry.slice());
  const after = new LedgerMachine({ seed: 5 });
  after.restore(machine.snapshot(), ids);
  const next = new OrderMachine(after);
  next.restore(orders.snapshot().bytes());
  expect(stateOf(after, next)).toBe(stateOf(machine, orders));
  return [after, next];
}

function stateOf(machine: LedgerMachine, orders: OrderMachine): string {
  const accounts = [...machine.accounts()].map((account) => Object.values(account).join(' '));
  return [...accounts, Buffer.from(orders.snapshot().bytes()).toString()].join('\n');
}

function checkReplays(at: OrderWorld): void {
  const whole = replay(at.history, -1);
  expect(whole.state).toBe(stateOf(at.machine, at.orders));
  for (const part of [0.2, 0.7])
    expect(replay(at.history, Math.floor(at.history.length * part))).toEqual(whole);
}

/** Long after, with all accounts thawed, nothing is locked, held or contested, and nothing waits. */
function checkEverythingEnds(at: OrderWorld): void {
  const traders = ['buyer', 'provider', 'other'] as const;
  for (const name of traders) for (const kind of ['available', 'held'] as const) at.freeze(kind, name, false);
  for (let month = 0; month < 6; month += 1) at.wait(31 * DAY_MS);
  expect([...at.orders.escrows(), ...at.orders.agreements()]).toEqual([]);
  expect(at.machine.pendingCount).toBe(0);
  for (const name of traders)
    for (const kind of ['locked', 'held', 'unbonding'] as const) expect(at.balance(kind, name)).toBe(0n);
  for (const kind of ['fees', 'deposits'] as const) expect(at.balance(kind)).toBe(0n);
  expect(at.orders.nextDueMs).toBe(Infinity);
  const open = new Set([...at.orders.withdrawals()].map(({ id }) => `withdrawal/${id}`));
  for (const scope of nonceScopes(at)) expect(scope === 'own' || open.has(scope)).toBe(true);
}

/** About what nonces are remembered. */
function nonceScopes(at: OrderWorld): readonly string[] {
  const lines = Buffer.from(at.orders.snapshot().bytes()).toString().trimEnd().split('\n').slice(1);
  const records = lines.map((line) => JSON.parse(line) as [string, { readonly scope?: string }]);
  return records.flatMap(([kind, { scope }]) => (kind === 'nonces' && scope !== undefined ? [scope] : []));
}

test('any few orders', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(65_535), { maxLength: 400, size: 'max' }), (numbers) => {
      let next = 0;
      const chance = { fraction: () => (numbers[next++] ?? 0) / 65_536 };
      const at = new OrderWorld();
      at.fundParties();
      const orders = new RandomOrders(chance, at);
      while (next < numbers.length) orders.step();
      checkEverythingEnds(at);
    }),
    { numRuns: 20 },
  );
});

test(`${STEPS} steps from seed ${SEED} reach most results, and replay to the same bytes`, () => {
  const reached = new Set<string>();
  for (let world = 0; world * STEPS_PER_WORLD < STEPS; world += 1) {
    const at = run(seededRandom(SEED * 1000 + world), STEPS_PER_WORLD, world % 2 === 0 ? {} : NARROW);
    checkEverythingEnds(at);
    checkReplays(at);
    for (const code of at.reached) reached.add(code);
  }
  expect(reached.size).toBeGreaterThan(25);
});

test('every result is expected by some test', () => {
  const folder = import.meta.dirname;
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'));
  const tests = files.map((file) => readFileSync(path.join(folder, file), 'utf8')).join('\n');
  for (const name of Object.keys(ORDER_RESULTS)) expect(tests).toContain(`'${name}'`);
});
