// Shows on a simulated disk that orders survive crashes: none that was answered is lost, none is done twice.
import { present, seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { Ledger, LEDGER_SCHEMA, LedgerMachine } from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { MemoryDisk, openMemoryStore, type Store } from '@clawbernetes/storage';
import { expect, test } from 'vitest';
import { applyFrame } from '../../src/journal/apply-frame.ts';
import { decodeFrame } from '../../src/journal/frame.ts';
import { readFrames } from '../../src/journal/read-frames.ts';
import { OrderMachine } from '../../src/orders/order-machine.ts';
import { readOrder } from '../../src/orders/order.ts';
import { LEDGER, START_MS } from './order-world.ts';
import { timedOrders, type TimedOrder } from './timed-orders.ts';

/** Small, so that checkpoints are frequent. */
const OPTIONS = { ledgerId: LEDGER, heldIds: 20, framesInFlight: 3, frameBytes: 4000 };
const STEPS = 350;

/** A ledger on a simulated disk that crashes now and then; whoever had no answer asks again. */
class CrashingOrders {
  readonly #clock = new VirtualClock({ startMs: START_MS });
  readonly #random;
  readonly #disk: MemoryDisk;
  readonly answers = new Map<string, number>();
  #store: Store | undefined;
  #ledger: Ledger | undefined;
  #unanswered = new Map<string, Uint8Array>();
  crashes = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#disk = new MemoryDisk({ clock: this.#clock, random: this.#random }, { minMs: 0, maxMs: 5 });
  }

  get ledger(): Ledger {
    return present(this.#ledger, 'an open ledger');
  }

  get store(): Store {
    return present(this.#store, 'an open store');
  }

  async open(): Promise<void> {
    const [clock, random] = [this.#clock, this.#random];
    this.#store = await openMemoryStore({ clock }, this.#disk, { schema: LEDGER_SCHEMA });
    const deps = { clock, random, logger: silentLogger, threads: new SameThread(), store: this.#store };
    this.#ledger = await Ledger.open(deps, OPTIONS);
  }

  async send({ timeMs, bytes }: TimedOrder): Promise<void> {
    await this.#clock.advance(Math.max(0, timeMs - this.#clock.nowMs()));
    this.#ask(bytes);
    if (this.#random.fraction() < 0.6) await this.#clock.advance(this.#random.fraction() * 6);
    if (this.#random.fraction() < 0.05) await this.#crash();
  }

  async settle(): Promise<void> {
    await this.#clock.advance(2000);
  }

  #ask(bytes: Uint8Array): void {
    const key = Buffer.from(bytes).toString('hex');
    this.#unanswered.set(key, bytes);
    this.ledger.submit({ kind: 'orders', items: bytes }).then(
      ([code = -1]) => {
        this.answers.set(key, code);
        this.#unanswered.delete(key);
      },
      () => undefined,
    );
  }

  async #crash(): Promise<void> {
    this.crashes += 1;
    this.#disk.crash();
    await this.#clock.advance(50);
    await this.#ledger?.[Symbol.asyncDispose]();
    await Promise.resolve(this.#store?.[Symbol.asyncDispose]()).catch(() => undefined);
    await this.open();
    for (const bytes of this.#unanswered.values()) this.#ask(bytes);
  }
}

/** Follows the journal on fresh machines. @returns what each order was answered, each time that it came. */
async function follow(
  store: Store,
): Promise<{ readonly codes: Map<string, number[]>; readonly orders: OrderMachine }> {
  const machine = new LedgerMachine({ seed: 1 });
  const orders = new OrderMachine(machine);
  const codes = new Map<string, number[]>();
  for await (const { sequence, body } of readFrames(store, 1)) {
    const frame = decodeFrame(body, sequence);
    const { results } = applyFrame(machine, frame, orders);
    for (const [index, { items }] of frame.operations.entries()) {
      const key = Buffer.from(items).toString('hex');
      codes.set(key, [...(codes.get(key) ?? []), ...(results[index] ?? [])]);
    }
  }
  machine.assertConservation();
  return { codes, orders };
}

const seen = { crashes: 0, answers: 0, checkpoints: 0 };

test.each(Array.from({ length: 8 }, (_, seed) => seed + 1))('seed %i', async (seed) => {
  const at = new CrashingOrders(seed);
  await at.open();
  for (const order of timedOrders(seed, STEPS)) await at.send(order);
  await at.settle();
  const { codes, orders } = await follow(at.store);
  for (const [key, code] of at.answers) if (codes.has(key)) expect(codes.get(key)).toContain(code);
  for (const [key, results] of codes) {
    // Receipts may be settled as often as anybody likes: nothing more is paid.
    if (readOrder(Buffer.from(key, 'hex')).type === 'agreement-settle') continue;
    expect(results.filter((code) => code === 0).length).toBeLessThan(2);
  }
  expect(orders.deviations()).toEqual([]);
  const [live, followed] = [at.ledger.orders.snapshot().bytes(), orders.snapshot().bytes()];
  expect(Buffer.from(live).toString()).toBe(Buffer.from(followed).toString());
  const rows = await at.store.rows.selectFrom('ledger_checkpoint').select('sequence').execute();
  seen.checkpoints += rows.length;
  seen.crashes += at.crashes;
  seen.answers += at.answers.size;
});

test('it has crashed, answered and stored its state often', () => {
  expect(seen.crashes).toBeGreaterThan(30);
  expect(seen.answers).toBeGreaterThan(400);
  expect(seen.checkpoints).toBeGreaterThan(10);
});
