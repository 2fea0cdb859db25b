import { assertFits } from './cells.ts';

/**
 * An account as it travels and lies in the journal: 64 bytes, little endian.
 *
 * | bytes | field | |
 * |---|---|---|
 * | 0–15 | id | u128 |
 * | 16–47 | owner | Ed25519 public key; zeros: the ledger's own, which no signature moves |
 * | 48–55 | floor | i64 base units; what is available never goes below. Negative: credit up to there |
 * | 56–59 | asset | u32 |
 * | 60–61 | code | u16, what it is for |
 * | 62–63 | flags | u16, ACCOUNT_FLAGS |
 */
export const ACCOUNT_BYTES = 64;
export const OWNER_BYTES = 32;

export const ACCOUNT_FLAGS = {
  /** Neither pays nor is paid; what is pending can still be given up. */
  frozen: 1,
} as const;

export interface Account {
  readonly id: bigint;
  readonly owner: Uint8Array;
  readonly floor: bigint;
  readonly asset: number;
  readonly code: number;
  readonly flags: number;
}

/** The floor of an account that may go as deep as there is money, such as the one that issues it. */
export const NO_FLOOR = -(1n << 63n);

/** Only the ledger itself opens accounts whose id begins with this: nobody can take them beforehand. */
const RESERVED = 0xffn;

export function isReserved(id: bigint): boolean {
  return id >> 120n === RESERVED;
}

const LOW = (1n << 64n) - 1n;

/** @throws RangeError for a field that does not fit. */
export function encodeAccounts(accounts: readonly Account[]): Uint8Array {
  const bytes = new Uint8Array(accounts.length * ACCOUNT_BYTES);
  for (const [index, { id, owner, floor, asset, code, flags }] of accounts.entries()) {
    const view = new DataView(bytes.buffer, index * ACCOUNT_BYTES, ACCOUNT_BYTES);
    if (id < 0n || id >> 128n !== 0n) throw new RangeError(`${id} is not in 128 bits.`);
    if (owner.length !== OWNER_BYTES) throw new RangeError('An owner is a public key of 32 bytes.');
    assertFits('An asset', asset, 32);
    assertFits('A code', code, 16);
    assertFits('Flags', flags, 16);
    if (floor !== BigInt.asIntN(64, floor)) throw new RangeError(`A floor of ${floor} is not in 64 bits.`);
    view.setBigUint64(0, id & LOW, true);
    view.setBigUint64(8, id >> 64n, true);
    bytes.set(owner, index * ACCOUNT_BYTES + 16);
    view.setBigInt64(48, floor, true);
    view.setUint32(56, asset, true);
    view.setUint16(60, code, true);
    view.setUint16(62, flags, true);
  }
  return bytes;
}

export function readAccount(bytes: Uint8Array, index: number): Account {
  const start = bytes.byteOffset + index * ACCOUNT_BYTES;
  const view = new DataView(bytes.buffer, start, ACCOUNT_BYTES);
  return {
    id: view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n),
    // A copy even of a Buffer, whose own slice is a view.
    owner: Uint8Array.from(bytes.subarray(index * ACCOUNT_BYTES + 16, index * ACCOUNT_BYTES + 48)),
    floor: view.getBigInt64(48, true),
    asset: view.getUint32(56, true),
    code: view.getUint16(60, true),
    flags: view.getUint16(62, true),
  };
}
