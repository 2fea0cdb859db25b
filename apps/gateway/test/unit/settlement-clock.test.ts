// Shows that a gateway whose clock jumps says so in its status, also after its ledger failed and was opened
// again in the same process, and that the ledger's time goes on as if nothing had been.
import { generateKeyPair } from '@clawbernetes/identity';
import { CodedError, seededRandom, silentLogger, systemRandom } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { SameThread } from '@clawbernetes/ledger/testing';
import { MemoryDisk, openMemoryStore, type Schema } from '@clawbernetes/storage';
import { expect, test } from 'vitest';
import { SettlementKeeper } from '../../src/settlement/settlement-keeper.ts';

const START_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

test('a jump is told, and opening the ledger again is no confirmation', async () => {
  const clock = new VirtualClock({ startMs: START_MS });
  const random = seededRandom(1);
  const disk = new MemoryDisk({ clock, random }, { minMs: 0, maxMs: 1 });
  const openStore = (schema: Schema) => openMemoryStore({ clock }, disk, { schema });
  const host = { clock, random, logger: silentLogger, threads: new SameThread() };
  const deps = { ...host, key: generateKeyPair(systemRandom), openStore, storage: 'memory' };
  const keeper = new SettlementKeeper(deps, { ledgerId: 'gw-test', network: 'development' });
  const untilOpen = async (): Promise<void> => {
    // Its threads and its native module take their own time.
    await expect
      .poll(() => clock.advance(100).then(() => keeper.status().state), { interval: 1, timeout: 20_000 })
      .toBe('open');
  };
  await untilOpen();
  expect(keeper.status()).toEqual({ state: 'open', network: 'development' });
  clock.jumpWallTime(5 * HOUR_MS);
  const told = { state: 'open', message: expect.stringMatching(/ 300 min ahead of the time of the ledger/) };
  expect(keeper.status()).toMatchObject(told);
  const { ledger } = keeper.current();
  keeper.stopped(keeper.current(), new CodedError('The disk is gone.', { code: 'ledger-closed' }));
  expect(keeper.status()).toMatchObject({ state: 'failed' });
  await untilOpen();
  expect(keeper.current().ledger).not.toBe(ledger);
  expect(keeper.status()).toMatchObject(told);
  expect(keeper.current().ledger.timeMs).toBe(START_MS + Math.floor(clock.monotonicMs()));
  clock.jumpWallTime(-5 * HOUR_MS);
  expect(keeper.status()).toEqual({ state: 'open', network: 'development' });
  const closed = Promise.resolve(keeper[Symbol.asyncDispose]());
  await expect
    .poll(() => Promise.race([closed.then(() => true), clock.advance(100)]), { interval: 1, timeout: 20_000 })
    .toBe(true);
});
