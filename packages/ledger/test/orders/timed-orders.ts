import { seededRandom } from '@clawbernetes/kernel';
import { malformedCode } from '../../src/orders/order.ts';
import { OrderWorld } from './order-world.ts';
import { RandomOrders } from './random-orders.ts';

const HOUR_MS = 3_600_000;

export interface TimedOrder {
  readonly timeMs: number;
  readonly bytes: Uint8Array;
}

/** Orders as somebody could send them, with their times; the first opens the ledger. */
export function timedOrders(seed: number, steps: number): readonly TimedOrder[] {
  const world = new OrderWorld();
  world.fundParties();
  const orders = new RandomOrders(seededRandom(seed), world, 2 * HOUR_MS);
  for (let step = 0; step < steps; step += 1) orders.step();
  return world.history.filter((event): event is TimedOrder => 'bytes' in event);
}

/** All different, and such that the journal has each. */
export function distinctOrders(seed: number, steps: number): readonly TimedOrder[] {
  const byBytes = new Map<string, TimedOrder>();
  for (const order of timedOrders(seed, steps)) {
    const key = Buffer.from(order.bytes).toString('hex');
    if (!byBytes.has(key) && malformedCode(order.bytes) === undefined) byBytes.set(key, order);
  }
  return [...byBytes.values()];
}
