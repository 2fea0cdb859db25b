/** GF(256) with the polynomial of AES, x^8 + x^4 + x^3 + x + 1 (SLIP-0039). */
const EXP = new Uint8Array(255);
const LOG = new Uint8Array(256);
let power = 1;
for (let exponent = 0; exponent < 255; exponent += 1) {
  EXP[exponent] = power;
  LOG[power] = exponent;
  // Times the generator x + 1, reduced.
  power ^= power << 1;
  if (power > 255) power ^= 0x11b;
}

export interface Point {
  readonly x: number;
  readonly y: Uint8Array;
}

/** The value at `x` of the polynomial of least degree through `points`, byte by byte (Lagrange). */
export function interpolate(points: readonly Point[], x: number): Uint8Array {
  const known = points.find((point) => point.x === x);
  if (known) return known.y.slice();
  const result = new Uint8Array(points[0]?.y.length ?? 0);
  for (const { x: own, y } of points) {
    const basis = basisLog(points, own, x);
    y.forEach((byte, index) => {
      if (byte !== 0) result[index] = (result[index] ?? 0) ^ (EXP[(logOf(byte) + basis) % 255] ?? 0);
    });
  }
  return result;
}

function logOf(value: number): number {
  return LOG[value] ?? 0;
}

/** Logarithm of the Lagrange basis polynomial of the point at `own`, evaluated at `x`. */
function basisLog(points: readonly Point[], own: number, x: number): number {
  let log = 0;
  for (const { x: other } of points) {
    if (other !== own) log += logOf(other ^ x) - logOf(other ^ own);
  }
  return ((log % 255) + 255) % 255;
}
