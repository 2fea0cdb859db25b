import { check, type OrderResultName } from '@clawbernetes/orders';

/** Nonces of a signer that are told apart from ones he skipped. */
const REMEMBERED = 16;

export interface SeenNonces {
  /** Of what a nonce is about: an escrow, an agreement, …, or the signer's own account. */
  readonly scope: string;
  readonly signer: string;
  /** The latest, rising. */
  readonly nonces: readonly number[];
  /** Of the order that used the last. */
  readonly digest: string;
}

/**
 * The nonces that were used, per scope and signer. They rise within a scope, so that a signature counts once
 * and in its order; orders about different things do not wait for each other.
 */
export class NonceMemory {
  readonly #scopes = new Map<string, Map<string, SeenNonces>>();

  /** Why the nonce cannot be used now, if so. */
  fault(scope: string, signer: string, nonce: number, digest: string): OrderResultName | undefined {
    const seen = this.#scopes.get(scope)?.get(signer);
    const last = seen?.nonces.at(-1);
    if (seen === undefined || last === undefined || nonce > last) return undefined;
    if (nonce === last && digest === seen.digest) return 'order-repeated';
    return seen.nonces.includes(nonce) ? 'nonce-replayed' : 'nonce-out-of-order';
  }

  note(scope: string, signer: string, nonce: number, digest: string): void {
    const nonces = this.#scopes.get(scope)?.get(signer)?.nonces ?? [];
    this.restore({ scope, signer, nonces: [...nonces, nonce].slice(-REMEMBERED), digest });
  }

  restore(seen: SeenNonces): void {
    const signers = this.#scopes.get(seen.scope) ?? new Map<string, SeenNonces>();
    signers.set(seen.signer, seen);
    this.#scopes.set(seen.scope, signers);
  }

  /** What the scope was about is forgotten too. */
  forget(scope: string): void {
    this.#scopes.delete(scope);
  }

  *entries(): Generator<SeenNonces, void, undefined> {
    for (const signers of this.#scopes.values()) yield* signers.values();
  }
}

/** Refuses with `order-malformed`. */
export function readNonce(text: string): number {
  check(/^(?:0|[1-9][0-9]{0,15})$/.test(text), 'order-malformed');
  const nonce = Number(text);
  check(Number.isSafeInteger(nonce), 'order-malformed');
  return nonce;
}

/**
 * Scope of orders about one thing. Kinds are told apart: what is forgotten of one must not free the nonces of
 * another, of which somebody chose the same id.
 */
export function scopeOf(kind: 'escrow' | 'agreement' | 'withdrawal' | 'deposit', id: string): string {
  return `${kind}/${id}`;
}

/** Scope of orders of a signer about his own account. */
export const OWN_SCOPE = 'own';
