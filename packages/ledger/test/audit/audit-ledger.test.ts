// Shows that an audit recomputes a long random run to the same state, and finds whatever was changed behind
// the ledger's back.
import { generateKeyPair } from '@clawbernetes/identity';
import { present, seededRandom, silentLogger, systemClock } from '@clawbernetes/kernel';
import {
  auditLedger,
  encodeAccounts,
  Ledger,
  LEDGER_SCHEMA,
  NO_FLOOR,
  signerId,
  signRequest,
  TransferBatch,
} from '@clawbernetes/ledger';
import { RandomWorkload, SameThread } from '@clawbernetes/ledger/testing';
import { MemoryDisk, openMemoryStore, type RowChange, type Store } from '@clawbernetes/storage';
import { describe, expect, it } from 'vitest';

const OPTIONS = { ledgerId: 'audited', heldIds: 200 };
const OWNER = generateKeyPair();

async function openStore(): Promise<Store> {
  const random = seededRandom(1);
  const disk = new MemoryDisk({ clock: systemClock, random }, { minMs: 0, maxMs: 0 });
  return openMemoryStore({ clock: systemClock }, disk, { schema: LEDGER_SCHEMA });
}

async function withLedger(store: Store, work: (ledger: Ledger) => Promise<void>): Promise<void> {
  const deps = { store, clock: systemClock, random: seededRandom(2), logger: silentLogger };
  await using ledger = await Ledger.open({ ...deps, threads: new SameThread() }, OPTIONS);
  await work(ledger);
}

/** Random requests, and some that an owner signs. */
async function fill(store: Store, steps: number): Promise<void> {
  await withLedger(store, async (ledger) => {
    const workload = new RandomWorkload(seededRandom(3), Date.now() - 3_600_000);
    for (let step = 0; step < steps; step += 1) {
      const next = workload.next();
      if (next.kind === 'open')
        await ledger.submit({ kind: 'accounts', items: encodeAccounts(next.accounts) });
      if (next.kind !== 'transfer' || next.transfers.length === 0) continue;
      const batch = new TransferBatch(next.transfers.length);
      for (const transfer of next.transfers) batch.add(transfer);
      await ledger.submit({ kind: 'transfers', items: batch.bytes });
    }
    await signedTransfer(ledger);
  });
}

async function signedTransfer(ledger: Ledger): Promise<void> {
  const facts = { floor: 0n, asset: 9, code: 1, flags: 0 };
  const issuer = { id: 900n, owner: new Uint8Array(32), ...facts, floor: NO_FLOOR };
  const accounts = [issuer, { id: 901n, owner: OWNER.publicKey, ...facts }, { ...issuer, id: 902n }];
  await ledger.submit({ kind: 'accounts', items: encodeAccounts(accounts) });
  const made = BigInt(Date.now()) << 80n;
  const transfer = (id: bigint, debitAccount: bigint, creditAccount: bigint): Uint8Array => {
    const batch = new TransferBatch(1);
    batch.add({ id, debitAccount, creditAccount, amount: 5n, code: 1 });
    return batch.bytes;
  };
  expect([...(await ledger.submit({ kind: 'transfers', items: transfer(made | 1n, 900n, 901n) }))]).toEqual([
    0,
  ]);
  const request = { ledgerId: OPTIONS.ledgerId, nonce: Date.now(), expiresAtMs: Date.now() + 60_000 };
  const own = signerId(Date.now(), OWNER.publicKey, 2);
  const signed = signRequest(OWNER, { ...request, kind: 'transfers', items: transfer(own, 901n, 902n) });
  expect([...(await ledger.submit(signed))]).toEqual([0]);
}

async function frame(store: Store, sequence: number): Promise<Record<string, unknown>> {
  const rows = await store.rows
    .selectFrom('ledger_frame')
    .selectAll()
    .where('sequence', '=', sequence)
    .execute();
  return present(rows[0], `frame ${sequence}`);
}

/** Writes what no ledger writes. */
async function tamper(store: Store, change: RowChange): Promise<readonly string[]> {
  await store.submit([change]);
  const { discrepancies } = await auditLedger(store, OPTIONS);
  return discrepancies.map(({ kind }) => kind);
}

describe('an audit', () => {
  it('comes to the state of a ledger that was closed, checkpointed and read back many times', async () => {
    await using store = await openStore();
    for (let round = 0; round < 5; round += 1) await fill(store, 400);
    const report = await auditLedger(store, OPTIONS);
    expect(report.discrepancies).toEqual([]);
    expect(report.totals.operations).toBeGreaterThan(1000);
    expect(report.totals.signatures).toBe(5);
    expect(report.totals.assets.at(-1)).toMatchObject({ asset: 9, held: '25', issued: '-25' });
    expect(await auditLedger(store, OPTIONS)).toEqual(report);
    const { sequence } = (await store.rows
      .selectFrom('ledger_checkpoint')
      .select('sequence')
      .orderBy('sequence', 'desc')
      .executeTakeFirst()) as { sequence: number };
    expect(sequence).toBeGreaterThan(100);
  });

  it('finds a changed frame, a changed hash, a frame that is gone, and one that is no frame', async () => {
    const changes: [string, (row: Record<string, unknown>) => RowChange][] = [
      ['answers-differ', (row) => changed(row, 'body', (bytes) => flipLast(bytes))],
      ['answers-differ', (row) => changed(row, 'hash', (bytes) => flipLast(bytes))],
      [
        'frame-missing',
        ({ sequence }) => ({ table: 'ledger_frame', delete: { sequence: Number(sequence) } }),
      ],
      ['frame-damaged', (row) => changed(row, 'body', (bytes) => bytes.subarray(0, bytes.length - 1))],
    ];
    for (const [kind, change] of changes) {
      await using store = await openStore();
      await fill(store, 60);
      expect(await tamper(store, change(await frame(store, 20)))).toEqual([kind]);
    }
  });

  it('finds a signature that does not fit, though all answers are as they were', async () => {
    await using store = await openStore();
    await fill(store, 20);
    const { discrepancies } = await auditLedger(store, { ...OPTIONS, ledgerId: 'another' });
    expect(discrepancies.map(({ kind }) => kind)).toEqual(['signature-invalid']);
  });

  it('finds a checkpoint that was changed: money that a restart would bring', async () => {
    await using store = await openStore();
    await fill(store, 600);
    const part = (await store.rows
      .selectFrom('ledger_checkpoint_part')
      .selectAll()
      .where('section', '=', 'accounts')
      .orderBy('sequence', 'desc')
      .executeTakeFirst()) as Record<string, unknown>;
    const { sequence, part: number, section } = part;
    const body = Uint8Array.from(part['body'] as Uint8Array);
    body[88] = (body[88] ?? 0) + 1;
    const upsert = { sequence: Number(sequence), part: Number(number), section: String(section), body };
    expect(await tamper(store, { table: 'ledger_checkpoint_part', upsert })).toEqual(['checkpoint-differs']);
  });
});

function changed(
  row: Record<string, unknown>,
  column: 'body' | 'hash',
  change: (bytes: Uint8Array) => Uint8Array,
): RowChange {
  const [body, hash] = [row['body'] as Uint8Array, row['hash'] as Uint8Array];
  const facts = { sequence: Number(row['sequence']), time_ms: Number(row['time_ms']), body, hash };
  return { table: 'ledger_frame', upsert: { ...facts, [column]: change(facts[column]) } };
}

function flipLast(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length - 4] = (copy[copy.length - 4] ?? 0) ^ 1;
  return copy;
}
