// Shows that a wall clock that jumps, either way, does not move the time of a ledger, however often it is
// opened in one process: nothing comes due before its time. Whoever starts the process anew says that it is
// right.
import { present, type Logger } from '@clawbernetes/kernel';
import { LedgerTime, TRANSFER_FLAGS, TransferBatch, type Ledger } from '@clawbernetes/ledger';
import { beforeEach, expect, it } from 'vitest';
import { MemoryLedger, START_MS } from './memory-ledger.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
let told: string[] = [];
let run = new MemoryLedger();
const note =
  (level: string) =>
  (message: string): void => {
    // What it says when nothing is wrong has no place here.
    if (message.includes('clock')) told.push(level);
  };
const logger: Logger = {
  debug: note('debug'),
  info: note('info'),
  warn: note('warn'),
  error: note('error'),
  child: () => logger,
};

beforeEach(() => {
  told = [];
  run = new MemoryLedger();
});

/** Reserves one unit for an hour. */
async function reserve(ledger: Ledger): Promise<void> {
  const batch = new TransferBatch(1);
  const parties = { debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 };
  const hour = { flags: TRANSFER_FLAGS.pending, timeoutSeconds: 3600 };
  batch.add({ id: (BigInt(START_MS) << 80n) | (1n << 60n), ...parties, ...hour });
  expect(await run.through(run.submit(ledger, batch.bytes))).toBe('ok');
}

async function reserved(ledger: Ledger): Promise<bigint> {
  return present(await run.through(ledger.account(1n)), 'the account that pays').debitsPending;
}

/** Since the start, by the ledger and by the monotonic clock. */
function passed(ledger: Ledger): readonly number[] {
  return [ledger.timeMs - START_MS, run.clock.monotonicMs()].map((ms) => Math.floor(ms / MINUTE_MS));
}

it.each([
  ['ahead', DAY_MS],
  ['back', -DAY_MS],
])('one that jumps %s by a day and comes back changes nothing', async (_, jumpMs) => {
  const ledger = await run.open(await run.openStore(), { logger });
  await reserve(ledger);
  run.clock.jumpWallTime(jumpMs);
  await run.clock.advance(50 * MINUTE_MS);
  expect([await reserved(ledger), passed(ledger)]).toEqual([1n, [50, 50]]);
  const { clockAheadMs } = ledger;
  expect(Math.abs(clockAheadMs - jumpMs)).toBeLessThanOrEqual(1);
  // What is asked now has the time of the ledger.
  expect(await run.through(run.submit(ledger, run.transfers(1, ledger.timeMs)))).toBe('ok');
  expect(told).toEqual(['error']);
  run.clock.jumpWallTime(-jumpMs);
  await run.clock.advance(9 * MINUTE_MS);
  expect([await reserved(ledger), passed(ledger), ledger.clockAheadMs]).toEqual([1n, [59, 59], 0]);
  expect(told).toEqual(['error', 'info']);
  await run.clock.advance(2 * MINUTE_MS);
  expect(await reserved(ledger)).toBe(0n);
});

it('a step as time servers make is followed', async () => {
  const ledger = await run.open(await run.openStore(), { logger });
  await reserve(ledger);
  for (let step = 0; step < 11; step += 1) {
    run.clock.jumpWallTime(5 * MINUTE_MS);
    await run.clock.advance(MINUTE_MS);
  }
  expect([passed(ledger), ledger.clockAheadMs, told]).toEqual([[66, 11], 0, []]);
  expect(await reserved(ledger)).toBe(0n);
});

it('opened again in the same process it does not follow; in another it does, and says so', async () => {
  const time = new LedgerTime({ clock: run.clock, logger });
  const first = await run.openStore();
  const ledger = await run.open(first, { logger, time });
  await reserve(ledger);
  const close = async (open: Ledger, store: AsyncDisposable): Promise<void> => {
    await run.through(open[Symbol.asyncDispose]());
    await run.through(Promise.resolve(store[Symbol.asyncDispose]()));
  };
  await close(ledger, first);
  run.clock.jumpWallTime(2 * DAY_MS);
  const second = await run.openStore();
  const again = await run.open(second, { logger, time });
  await run.clock.advance(MINUTE_MS);
  expect([await reserved(again), passed(again), told]).toEqual([1n, [1, 1], ['error']]);
  await close(again, second);
  const other = await run.open(await run.openStore(), { logger });
  await run.clock.advance(MINUTE_MS);
  expect([await reserved(other), other.clockAheadMs]).toEqual([0n, 0]);
  expect(passed(other)).toEqual([2 * 24 * 60 + 2, 2]);
  expect(told).toEqual(['error', 'warn']);
});

it('a ledger that is later than the clock says stands still, and says so', async () => {
  const first = await run.openStore();
  const ledger = await run.open(first, { logger });
  await run.through(ledger[Symbol.asyncDispose]());
  await run.through(Promise.resolve(first[Symbol.asyncDispose]()));
  run.clock.jumpWallTime(-DAY_MS);
  const again = await run.open(await run.openStore(), { logger });
  const { timeMs } = again;
  await run.clock.advance(MINUTE_MS);
  expect([again.timeMs, told]).toEqual([timeMs, ['warn']]);
  expect(Math.round(again.clockAheadMs / MINUTE_MS)).toBe(1 - DAY_MS / MINUTE_MS);
});
