/** Least significant byte first, sign bit cleared: y of the eight points whose order divides 8. */
const SMALL_ORDER_Y: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);
const FIRST_BYTES = new Set([...SMALL_ORDER_Y].map((text) => Number.parseInt(text.slice(0, 2), 16)));

/**
 * Whether 32 bytes are a point of small order, or a y that is not below 2^255 − 19. For such a key anyone can
 * sign, and libraries differ about such points in keys and signatures (Chalkias, Garillot, Nikolaenko:
 * "Taming the many EdDSAs", 2020).
 */
export function isWeakPoint(point: Uint8Array): boolean {
  return !isCanonicalY(point) || isSmallOrder(point);
}

function isCanonicalY(point: Uint8Array): boolean {
  const last = point.length - 1;
  if (((point[last] ?? 0) & 0x7f) !== 0x7f) return true;
  const middle = point.subarray(1, last);
  return (point[0] ?? 0) < 0xed || middle.some((byte) => byte !== 0xff);
}

function isSmallOrder(point: Uint8Array): boolean {
  if (!FIRST_BYTES.has(point[0] ?? 0)) return false;
  const y = Uint8Array.from(point);
  y[31] = (y[31] ?? 0) & 0x7f;
  return SMALL_ORDER_Y.has([...y].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
}
