import { createHash } from 'node:crypto';
import { errorCode, errorMessage } from '@clawbernetes/kernel';
import type { Row, RowReader } from '@clawbernetes/storage';
import { readCheckpoint } from '../journal/checkpoint.ts';
import type { Snapshot } from '../machine/snapshot.ts';

/** Of the newest checkpoint, from which the next start of the ledger would go on. */
export interface StoredState {
  readonly sequence: number;
  /** As `stateHash` says; undefined where it cannot be read. */
  readonly hash?: string;
  /** Why it cannot be read. */
  readonly fault?: string;
}

/** Checkpoints that may come and go while one of them is read. */
const MAX_ATTEMPTS = 5;

/** Undefined while there is none. @throws CodedError as stores do. */
export async function readStoredState(rows: RowReader): Promise<StoredState | undefined> {
  let state: StoredState | undefined;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const sequence = await newest(rows, 'ledger_checkpoint');
    if (sequence === 0) return undefined;
    state = await readState(rows, sequence);
    // A ledger in use drops old ones: what cannot be read may just be gone.
    if (state.fault === undefined || (await newest(rows, 'ledger_checkpoint')) === sequence) return state;
  }
  return state;
}

/** Number of the newest frame; 0 while there is none. */
export function newestFrame(rows: RowReader): Promise<number> {
  return newest(rows, 'ledger_frame');
}

/** The sections of a snapshot have one order, so equal states have equal hashes. */
export function stateHash(chain: Uint8Array, snapshot: Snapshot, orders: Uint8Array): string {
  const { timeMs, sinceMs, accounts, pending, requests } = snapshot;
  const hash = createHash('sha256').update(chain).update(`${timeMs} ${sinceMs} `);
  for (const section of [accounts, pending, requests, orders])
    hash.update(`${section.length} `).update(section);
  return hash.digest('hex');
}

async function readState(rows: RowReader, newestSequence: number): Promise<StoredState> {
  try {
    const checkpoint = await readCheckpoint(rows);
    if (!checkpoint) return { sequence: newestSequence, fault: 'The checkpoint is gone.' };
    const { sequence, hash, snapshot, orders } = checkpoint;
    return { sequence, hash: stateHash(hash, snapshot, orders) };
  } catch (error) {
    if (errorCode(error) !== 'journal-damaged') throw error;
    return { sequence: newestSequence, fault: errorMessage(error) };
  }
}

async function newest(rows: RowReader, table: string): Promise<number> {
  const query = rows.rows.selectFrom(table).select('sequence').orderBy('sequence', 'desc').limit(1);
  const row: Row | undefined = await query.executeTakeFirst();
  return Number(row?.['sequence'] ?? 0);
}
