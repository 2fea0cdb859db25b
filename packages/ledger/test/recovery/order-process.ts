// A process that books the orders of a file, with their times, from the first that it is told on, and prints
// the number and the code of each once it was answered:
// node order-process.ts <place> <file> <first> <lease, ms> [<stop>]
// The orders of one time are under way together. With a number to stop at, it stops itself (SIGSTOP) while
// that order is under way, and never finds out by itself that its lease is over, as on a host whose clock
// stood still meanwhile.
import { readFileSync, writeSync } from 'node:fs';
import { errorCode, present, systemClock, type Clock } from '@clawbernetes/kernel';
import { LEDGER } from '../orders/order-world.ts';
import { openBook, TINY } from './open-book.ts';
import { readOrders } from './order-file.ts';

const [place = '', file = '', first = '0', leaseMs = '0', stop] = process.argv.slice(2);
const orders = readOrders(readFileSync(file, 'utf8'));
let nowMs = present(orders[Number(first)], 'a first order').timeMs;
/** Time that passes with the orders, on both clocks. */
const clock: Clock = { ...systemClock, nowMs: () => nowMs, monotonicMs: () => nowMs };
const storeClock: Clock = stop ? { ...systemClock, after: () => ({ cancel: () => undefined }) } : systemClock;

const book = await openBook(place, {
  ledgerId: LEDGER,
  clock,
  storeClock,
  leaseMs: Number(leaseMs),
  ...TINY,
});
process.stdout.write('open\n');
try {
  let together: Promise<void>[] = [];
  for (let index = Number(first); index < orders.length; index += 1) {
    const { timeMs, bytes } = present(orders[index], 'an order');
    if (timeMs !== nowMs) await Promise.all(together.splice(0));
    nowMs = timeMs;
    together = [...together, say(index, bytes)];
    if (index === Number(stop)) setImmediate(stopHere);
  }
  await Promise.all(together);
  process.stdout.write('done\n');
} catch (error) {
  const { cause } = error as Error;
  process.stdout.write(`failed ${errorCode(error)} ${errorCode(cause)}\n`);
}
await book.close();

async function say(index: number, bytes: Uint8Array): Promise<void> {
  const [code = -1] = await book.ledger.submit({ kind: 'orders', items: bytes });
  process.stdout.write(`${index} ${code}\n`);
}

function stopHere(): void {
  writeSync(1, 'stopping\n');
  process.kill(process.pid, 'SIGSTOP');
}
