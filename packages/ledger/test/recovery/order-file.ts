import type { TimedOrder } from '../orders/timed-orders.ts';

/** Orders as text, for another process. */
export function writeOrders(orders: readonly TimedOrder[]): string {
  return orders.map(({ timeMs, bytes }) => `${timeMs} ${Buffer.from(bytes).toString('base64')}`).join('\n');
}

export function readOrders(text: string): readonly TimedOrder[] {
  return text.split('\n').map((line) => {
    const [timeMs, bytes = ''] = line.split(' ');
    return { timeMs: Number(timeMs), bytes: new Uint8Array(Buffer.from(bytes, 'base64')) };
  });
}
