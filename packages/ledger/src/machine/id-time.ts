import { u32 } from './cells.ts';

/** When an id was made, by whoever made it, ms since 1970: its upper 48 bits. */
export function idTimeMs(halves: Uint32Array, at: number): number {
  return u32(halves, at + 3) * 65_536 + (u32(halves, at + 2) >>> 16);
}

/**
 * Ids with all ones in bits 32–63 are for the ledger's own transfers: whoever used one beforehand would make
 * what an order does depend on when ids are set aside.
 */
export function isLedgerId(halves: Uint32Array, at: number): boolean {
  return u32(halves, at + 1) === 0xffff_ffff;
}
