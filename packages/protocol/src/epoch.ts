/** A fencing epoch: the writer term of the store's lease, then a counter within it. It never goes back. */
export interface Epoch {
  readonly term: number;
  readonly counter: number;
}

/** Negative, zero or positive as `left` is older than, equal to or newer than `right`. */
export function compareEpochs(left: Epoch, right: Epoch): number {
  return left.term - right.term || left.counter - right.counter;
}
