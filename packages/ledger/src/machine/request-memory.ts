/** What identifies a signed request. */
export interface SignedRequest {
  readonly signer: Uint8Array;
  readonly nonce: number;
  readonly expiresAtMs: number;
  readonly signature: Uint8Array;
}

interface Latest {
  readonly nonce: number;
  readonly signature: Uint8Array;
}

/**
 * The newest request of each signer. Nonces rise, so an older request is a replay or came out of order; the
 * newest may be repeated by a client that missed its answer, since ids make the repeat harmless.
 */
export class RequestMemory {
  readonly #latest = new Map<string, Latest>();

  isFresh(signer: Uint8Array, nonce: number, signature: Uint8Array): boolean {
    // Nothing would come after one that is not a number.
    if (!Number.isSafeInteger(nonce)) return false;
    const latest = this.#latest.get(keyOf(signer));
    if (latest === undefined || nonce > latest.nonce) return true;
    return nonce === latest.nonce && Buffer.compare(signature, latest.signature) === 0;
  }

  note(signer: Uint8Array, nonce: number, signature: Uint8Array): void {
    this.#latest.set(keyOf(signer), { nonce, signature: Uint8Array.from(signature) });
  }

  /** In the order of the keys. */
  entries(): readonly (Latest & { readonly signer: Uint8Array })[] {
    return [...this.#latest]
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, latest]) => ({ signer: new Uint8Array(Buffer.from(key, 'hex')), ...latest }));
  }
}

function keyOf(signer: Uint8Array): string {
  return Buffer.from(signer.buffer, signer.byteOffset, signer.length).toString('hex');
}
