import { readAccount, readTransfer, type Operation } from '@clawbernetes/ledger';
import { NaiveLedger } from '@clawbernetes/ledger/testing';
import { decodeFrame } from '../../src/journal/frame.ts';
import { readFreeze } from '../../src/machine/freeze-record.ts';

/** Follows a journal with the naive ledger, and knows what each operation got, each time that it came. */
export class JournalFollower {
  readonly naive = new NaiveLedger({ maxAccounts: 1e6, maxPending: 1e6 });
  readonly results = new Map<string, string[][]>();
  #sequence = 0;

  /** @param bodies of all frames; those that it knows already are passed over. */
  follow(bodies: readonly Uint8Array[]): void {
    for (const body of bodies.slice(this.#sequence)) {
      this.#sequence += 1;
      const { timeMs, operations } = decodeFrame(body, this.#sequence);
      this.naive.advance(timeMs);
      for (const operation of operations) {
        const key = keyOfOperation(operation);
        const results = this.#apply(operation);
        this.results.set(key, [...(this.results.get(key) ?? []), results]);
      }
    }
  }

  #apply({ kind, items, authority }: Operation): string[] {
    if (kind === 'accounts') return this.naive.openAccounts(each(items, 64, readAccount), authority?.signer);
    if (kind === 'transfers') return this.naive.transfer(each(items, 80, readTransfer), authority?.signer);
    if (kind === 'freezes') {
      return each(items, 24, readFreeze).map(({ account, frozen }) => this.naive.setFrozen(account, frozen));
    }
    const view = new DataView(items.buffer, items.byteOffset, items.byteLength);
    this.naive.forgetBefore(view.getFloat64(0, true));
    return ['ok'];
  }
}

/** Equal for what was sent and what the journal holds of it. */
export function keyOfOperation({ kind, items, authority }: Operation): string {
  const signature = authority ? Buffer.from(authority.signature).toString('hex') : '';
  return `${kind}:${Buffer.from(items).toString('hex')}:${signature}`;
}

function each<T>(items: Uint8Array, size: number, read: (bytes: Uint8Array, index: number) => T): T[] {
  return Array.from({ length: items.length / size }, (_, index) => read(items, index));
}
