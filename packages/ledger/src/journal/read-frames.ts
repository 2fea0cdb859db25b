import { assert } from '@clawbernetes/kernel';
import type { Store } from '@clawbernetes/storage';

/** A frame as it lies in the journal. */
export interface StoredFrame {
  readonly sequence: number;
  readonly body: Uint8Array;
  /** Chain hash after it. */
  readonly hash: Uint8Array;
}

/** The journal from `first` on, in order. @throws AssertionError where a frame is missing. */
export async function* readFrames(store: Store, first: number): AsyncGenerator<StoredFrame, void, undefined> {
  let expected = first;
  for await (const page of store.scan({ table: 'ledger_frame', from: first })) {
    for (const { sequence, body, hash } of page) {
      assert(Number(sequence) === expected, `frame ${expected} is in the journal`);
      assert(body instanceof Uint8Array && hash instanceof Uint8Array, 'frames and hashes are bytes');
      yield { sequence: expected, body, hash };
      expected += 1;
    }
  }
}
