// Shows that a ledger opens however much more its archive of ids holds than the store answers at once.
import { seededRandom, silentLogger, systemClock } from '@clawbernetes/kernel';
import { encodeAccounts, Ledger, LEDGER_SCHEMA, NO_FLOOR, TransferBatch } from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { MemoryDisk, openMemoryStore, type Store } from '@clawbernetes/storage';
import { expect, it } from 'vitest';

const BATCH = 5000;
const BATCHES = 8;
/** A filter takes 12 bits of each id, so these are eight of 7,500 bytes. */
const LIMITS = { maxQueryBytes: 20_000, maxPageBytes: 10_000 };

function withLedger<T>(store: Store, work: (ledger: Ledger) => Promise<T>): Promise<T> {
  const deps = { store, clock: systemClock, random: seededRandom(1), logger: silentLogger };
  const opened = Ledger.open({ ...deps, threads: new SameThread() }, { ledgerId: 'test', heldIds: BATCH });
  return opened.then(async (ledger) => {
    await using closing = ledger;
    return await work(closing);
  });
}

it('page by page', async () => {
  const disk = new MemoryDisk({ clock: systemClock, random: seededRandom(2) }, { minMs: 0, maxMs: 0 });
  const open = (limits = {}) =>
    openMemoryStore({ clock: systemClock }, disk, { schema: LEDGER_SCHEMA, ...limits });
  let runs = 0;
  {
    await using store = await open();
    await withLedger(store, async (ledger) => {
      const facts = { owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
      const accounts = [1n, 2n].map((id) => ({ id, ...facts }));
      await ledger.submit({ kind: 'accounts', items: encodeAccounts(accounts) });
    });
    for (let round = 0; round < BATCHES; round += 1) {
      await withLedger(store, async (ledger) => {
        const batch = new TransferBatch(BATCH);
        const made = BigInt(Date.now()) << 80n;
        for (let item = 0; item < BATCH; item += 1) {
          const id = made | BigInt(round * BATCH + item + 1);
          batch.add({ id, debitAccount: 1n, creditAccount: 2n, amount: 1n, code: 1 });
        }
        await ledger.submit({ kind: 'transfers', items: batch.bytes });
      });
    }
    runs = (await store.rows.selectFrom('ledger_id_run').select('sequence').execute()).length;
  }
  expect(runs).toBeGreaterThan(4);
  await using store = await open(LIMITS);
  const account = await withLedger(store, (ledger) => ledger.account(2n));
  expect(account?.creditsPosted).toBe(BigInt(BATCH * BATCHES));
});
