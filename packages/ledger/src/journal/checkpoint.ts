import { assert } from '@clawbernetes/kernel';
import type { Row, RowChange, RowReader, Store } from '@clawbernetes/storage';
import { ledgerError } from '../errors.ts';
import type { Snapshot } from '../machine/snapshot.ts';

/** Of one row of a section. */
const PART_BYTES = 1024 * 1024;
const SECTIONS = ['accounts', 'pending', 'requests', 'ids', 'key', 'orders'] as const;
type Section = (typeof SECTIONS)[number];

/** A state from which a replay begins: all that is known after the frame `sequence`. */
export interface Checkpoint {
  readonly sequence: number;
  /** Chain hash after that frame. */
  readonly hash: Uint8Array;
  readonly snapshot: Snapshot;
  /** Entries of the ids that are held, of eight words each. */
  readonly ids: Uint32Array<ArrayBuffer>;
  /** Snapshot of the orders; empty in checkpoints of before there were any. */
  readonly orders: Uint8Array<ArrayBuffer>;
}

/** Stores the parts; the answer is the row that makes them count. */
export async function writeParts(store: Store, checkpoint: Checkpoint): Promise<RowChange> {
  const { sequence, hash, snapshot, ids, orders } = checkpoint;
  const sections: Record<Section, Uint8Array> = {
    accounts: snapshot.accounts,
    pending: snapshot.pending,
    requests: snapshot.requests,
    ids: new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength),
    key: snapshot.fingerprintKey,
    orders,
  };
  let part = 0;
  for (const section of SECTIONS) {
    const bytes = sections[section];
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      const body = bytes.slice(at, at + PART_BYTES);
      await store.submit([{ table: 'ledger_checkpoint_part', upsert: { sequence, part, section, body } }]);
      part += 1;
    }
  }
  const { timeMs, sinceMs } = snapshot;
  const upsert = { sequence, time_ms: timeMs, since_ms: sinceMs, hash, parts: part };
  return { table: 'ledger_checkpoint', upsert };
}

/** The newest that is whole; undefined if there is none. @throws CodedError `journal-damaged`. */
export async function readCheckpoint(store: RowReader): Promise<Checkpoint | undefined> {
  const row: Row | undefined = await store.rows
    .selectFrom('ledger_checkpoint')
    .selectAll()
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!row) return undefined;
  const sequence = Number(row['sequence']);
  const bodies: Partial<Record<Section, Uint8Array[]>> = {};
  const parts = Number(row['parts']);
  for (let part = 0; part < parts; part += 1) {
    const { section, body } = await readPart(store, sequence, part);
    (bodies[section] ??= []).push(body);
  }
  const whole = (section: Section): Uint8Array<ArrayBuffer> => joined(bodies[section] ?? []);
  const [accounts, pending, requests] = [whole('accounts'), whole('pending'), whole('requests')];
  const [timeMs, sinceMs] = [Number(row['time_ms']), Number(row['since_ms'])];
  return {
    sequence,
    hash: bytesOf(row['hash']),
    snapshot: { timeMs, sinceMs, fingerprintKey: whole('key'), accounts, pending, requests },
    ids: new Uint32Array(whole('ids').buffer),
    orders: whole('orders'),
  };
}

/** Rows that drop all checkpoints before `sequence` but the newest of them. */
export async function dropOldCheckpoints(store: Store, sequence: number): Promise<void> {
  const rows: Row[] = await store.rows
    .selectFrom('ledger_checkpoint')
    .select(['sequence', 'parts'])
    .where('sequence', '<', sequence)
    .orderBy('sequence', 'desc')
    .offset(1)
    .limit(10)
    .execute();
  for (const row of rows) {
    const old = Number(row['sequence']);
    const parts = Array.from({ length: Number(row['parts']) }, (_, part) => part);
    await store.submit([
      { table: 'ledger_checkpoint', delete: { sequence: old } },
      ...parts.map((part) => ({ table: 'ledger_checkpoint_part', delete: { sequence: old, part } })),
    ]);
  }
}

async function readPart(
  store: RowReader,
  sequence: number,
  part: number,
): Promise<{ readonly section: Section; readonly body: Uint8Array }> {
  const row: Row | undefined = await store.rows
    .selectFrom('ledger_checkpoint_part')
    .select(['section', 'body'])
    .where('sequence', '=', sequence)
    .where('part', '=', part)
    .executeTakeFirst();
  const section = SECTIONS.find((name) => name === row?.['section']);
  if (row && section) return { section, body: bytesOf(row['body']) };
  const message = `Part ${part} of checkpoint ${sequence} of the ledger is missing. Restore it from a backup.`;
  throw ledgerError(message, { code: 'journal-damaged', sequence });
}

function bytesOf(value: unknown): Uint8Array {
  assert(value instanceof Uint8Array, 'the column holds bytes');
  return value;
}

function joined(bodies: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bodies.reduce((sum, body) => sum + body.length, 0));
  let at = 0;
  for (const body of bodies) {
    bytes.set(body, at);
    at += body.length;
  }
  return bytes;
}
