/** Freezes or thaws an account: id u128, then u64 1 or 0; 24 bytes, little endian. */
export const FREEZE_BYTES = 24;

export interface Freeze {
  readonly account: bigint;
  readonly frozen: boolean;
}

const LOW = (1n << 64n) - 1n;

/** @throws RangeError for an id that does not fit. */
export function encodeFreezes(freezes: readonly Freeze[]): Uint8Array {
  const bytes = new Uint8Array(freezes.length * FREEZE_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { account, frozen }] of freezes.entries()) {
    if (account !== BigInt.asUintN(128, account)) throw new RangeError(`${account} is not in 128 bits.`);
    view.setBigUint64(index * FREEZE_BYTES, account & LOW, true);
    view.setBigUint64(index * FREEZE_BYTES + 8, account >> 64n, true);
    view.setBigUint64(index * FREEZE_BYTES + 16, frozen ? 1n : 0n, true);
  }
  return bytes;
}

export function readFreeze(bytes: Uint8Array, index: number): Freeze {
  const view = new DataView(bytes.buffer, bytes.byteOffset + index * FREEZE_BYTES, FREEZE_BYTES);
  return {
    account: view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n),
    frozen: view.getBigUint64(16, true) !== 0n,
  };
}
