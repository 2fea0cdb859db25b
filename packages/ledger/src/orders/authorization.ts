import { check, refuse, type OrderSignature } from '@clawbernetes/orders';
import { readNonce, type NonceMemory } from './nonce-memory.ts';
import type { Order } from './order.ts';

/** The clocks of signers may be ahead of the ledger's by this. */
const AHEAD_MS = 60_000;

/** One way to allow an order: so many of these keys. */
export interface Quorum {
  readonly keys: readonly string[];
  readonly threshold: number;
  /** May sign as well, without being asked for. */
  readonly optional?: readonly string[];
}

export function allOf(...keys: readonly string[]): Quorum {
  return { keys: [...new Set(keys)], threshold: new Set(keys).size };
}

export function anyOf(...keys: readonly string[]): Quorum {
  return { keys, threshold: 1 };
}

/**
 * Whether those who signed may order this: each signature was made for this ledger, holds at this time and
 * counts for the first time, nobody signed who has no say, and one of the quorums is complete. That the
 * signatures are genuine was verified before.
 * @returns who signed, as addresses.
 */
export function authorize(
  order: Order,
  { scope, quorums }: { readonly scope: string; readonly quorums: readonly Quorum[] },
  context: { readonly ledger: string; readonly timeMs: number; readonly nonces: NonceMemory },
): ReadonlySet<string> {
  const voices = new Set(quorums.flatMap(({ keys, optional = [] }) => [...keys, ...optional]));
  const signers = new Set<string>();
  for (const signature of order.signatures) {
    const { signer } = signature;
    checkSignature(signature, context);
    check(voices.has(signer), 'signer-not-allowed');
    check(!signers.has(signer), 'signer-twice');
    const nonce = readNonce(signature.nonce);
    const fault = context.nonces.fault(scope, signer, nonce, order.digest);
    if (fault) refuse(fault);
    signers.add(signer);
  }
  const [first] = quorums;
  if (first && !quorums.some((quorum) => isComplete(quorum, signers)))
    refuse(first.threshold === first.keys.length ? 'signature-missing' : 'threshold-not-met');
  return signers;
}

/** The signatures of an order that was done count no more. */
export function noteSignatures(order: Order, scope: string, nonces: NonceMemory): void {
  for (const { signer, nonce } of order.signatures)
    nonces.note(scope, signer, readNonce(nonce), order.digest);
}

function checkSignature(
  { audience, issuedAtMs, expiresAtMs }: OrderSignature,
  { ledger, timeMs }: { readonly ledger: string; readonly timeMs: number },
): void {
  check(audience === ledger, 'signature-foreign');
  check(issuedAtMs <= timeMs + AHEAD_MS, 'signature-not-yet-valid');
  check(expiresAtMs > timeMs, 'signature-expired');
}

function isComplete({ keys, threshold }: Quorum, signers: ReadonlySet<string>): boolean {
  return keys.filter((key) => signers.has(key)).length >= threshold;
}
