import type { Clock, Random } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';
import { ledgerError } from '../errors.ts';
import { LedgerMachine } from '../machine/ledger-machine.ts';
import { OrderMachine } from '../orders/order-machine.ts';
import type { Projection } from '../projection/projection.ts';
import { applyFrame } from './apply-frame.ts';
import { chainHash, GENESIS } from './chain-hash.ts';
import { readCheckpoint } from './checkpoint.ts';
import { decodeFrame } from './frame.ts';
import { readFrames } from './read-frames.ts';
import { IdArchive } from './id-archive.ts';
import { ENTRY_WORDS } from './id-run.ts';
import { recallOlder } from './recall-older.ts';

export interface Replayed {
  readonly machine: LedgerMachine;
  readonly orders: OrderMachine;
  readonly archive: IdArchive;
  /** Of the newest frame, and the chain hash after it. */
  readonly sequence: number;
  readonly hash: Uint8Array;
  /** Frames since the checkpoint, and how long they are. */
  readonly replayed: number;
  readonly replayedBytes: number;
}

export interface ReplayDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly projection?: Projection;
}

/**
 * Brings back the state: from the newest checkpoint, then frame by frame. A history that has not come that
 * far has it all from the beginning.
 */
export async function replay(
  { store, random, projection }: ReplayDeps,
  { expectedIds }: { readonly expectedIds: number },
): Promise<Replayed> {
  const machine = new LedgerMachine({ seed: seedOf(random) }, { expectedIds });
  const orders = new OrderMachine(machine);
  const newest = await readCheckpoint(store);
  const checkpoint = newest && newest.sequence <= (projection?.position ?? Infinity) ? newest : undefined;
  const archive = await IdArchive.open(store, checkpoint?.sequence ?? 0);
  if (checkpoint) machine.restore(checkpoint.snapshot, entriesOf(checkpoint.ids));
  if (checkpoint && checkpoint.orders.length > 0) orders.restore(checkpoint.orders);
  machine.ids.archivedUntil(archive.lastMs);
  projection?.follow(machine);
  let sequence = checkpoint?.sequence ?? 0;
  let hash: Uint8Array = checkpoint?.hash ?? GENESIS;
  const first = sequence;
  let replayedBytes = 0;
  for await (const stored of readFrames(store, first + 1)) {
    sequence += 1;
    const frame = decodeFrame(stored.body, sequence);
    await recallOlder(machine.ids, archive, frame.operations);
    hash = chainHash(hash, stored.body, applyFrame(machine, frame, orders).results);
    if (Buffer.compare(hash, stored.hash) !== 0) throw diverged(sequence);
    replayedBytes += stored.body.length;
    projection?.take(sequence, frame.timeMs);
    projection?.durable(sequence);
    await projection?.ready();
  }
  return { machine, orders, archive, sequence, hash, replayed: sequence - first, replayedBytes };
}

function* entriesOf(ids: Uint32Array): Generator<Uint32Array, void, undefined> {
  for (let at = 0; at < ids.length; at += ENTRY_WORDS) yield ids.subarray(at, at + ENTRY_WORDS);
}

function seedOf(random: Random): number {
  return Buffer.from(random.bytes(6)).readUIntLE(0, 6);
}

function diverged(sequence: number): Error {
  const message =
    `Frame ${sequence} of the journal gives other answers than when it was written, or was changed since. Nothing ` +
    'was booked on top of it. Restore the journal from a backup, or run the version that wrote it.';
  return ledgerError(message, { code: 'journal-diverged', sequence });
}
