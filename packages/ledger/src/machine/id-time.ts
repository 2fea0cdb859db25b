import { u32 } from './cells.ts';

/** When an id was made, by whoever made it, ms since 1970: its upper 48 bits. */
export function idTimeMs(halves: Uint32Array, at: number): number {
  return u32(halves, at + 3) * 65_536 + (u32(halves, at + 2) >>> 16);
}
