import { assert } from '@clawbernetes/kernel';
import type { RowReader } from '@clawbernetes/storage';
import { ledgerError } from '../errors.ts';

/** A frame as it lies in the journal. */
export interface StoredFrame {
  readonly sequence: number;
  readonly body: Uint8Array;
  /** Chain hash after it. */
  readonly hash: Uint8Array;
}

export interface ReadFramesOptions {
  /** The last one; default: all that there are. */
  readonly through?: number;
  readonly signal?: AbortSignal;
}

/** The journal from `first` on, in order. @throws CodedError `journal-damaged` where a frame is missing. */
export async function* readFrames(
  store: RowReader,
  first: number,
  { through, signal }: ReadFramesOptions = {},
): AsyncGenerator<StoredFrame, void, undefined> {
  let expected = first;
  const range = { table: 'ledger_frame', from: first, ...(through !== undefined && { through }) };
  for await (const page of store.scan(range, signal ? { signal } : {})) {
    for (const { sequence, body, hash } of page) {
      if (Number(sequence) !== expected) throw missing(expected);
      assert(body instanceof Uint8Array && hash instanceof Uint8Array, 'frames and hashes are bytes');
      yield { sequence: expected, body, hash };
      expected += 1;
    }
  }
}

function missing(sequence: number): Error {
  const message = `Frame ${sequence} of the journal is missing. Restore the journal from a backup.`;
  return ledgerError(message, { code: 'journal-damaged', sequence });
}
