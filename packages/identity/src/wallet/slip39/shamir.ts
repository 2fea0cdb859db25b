import { hmacSha256 } from '#crypto';
import type { Random } from '@clawbernetes/kernel';
import { interpolate, type Point } from './field.ts';

const SECRET_X = 255;
const DIGEST_X = 254;
const DIGEST_BYTES = 4;

/** `count` points of which any `threshold` give the secret; one more point holds a digest of it. */
export function split(
  secret: Uint8Array,
  { threshold, count }: { readonly threshold: number; readonly count: number },
  random: Random,
): readonly Uint8Array[] {
  if (threshold === 1) return Array.from({ length: count }, () => secret.slice());
  const salt = random.bytes(secret.length - DIGEST_BYTES);
  const free = Array.from({ length: threshold - 2 }, (_, x) => ({ x, y: random.bytes(secret.length) }));
  const points = [
    ...free,
    { x: DIGEST_X, y: Uint8Array.from([...digestOf(secret, salt), ...salt]) },
    { x: SECRET_X, y: secret },
  ];
  return Array.from({ length: count }, (_, x) => interpolate(points, x));
}

/** The secret of at least `threshold` points, or undefined if they do not belong together. */
export function join(points: readonly Point[], threshold: number): Uint8Array | undefined {
  const enough = points.slice(0, threshold);
  const surplus = points.slice(threshold);
  if (!surplus.every(({ x, y }) => isEqual(interpolate(enough, x), y))) return undefined;
  if (threshold === 1) return enough[0]?.y.slice();
  const secret = interpolate(enough, SECRET_X);
  const digest = interpolate(enough, DIGEST_X);
  const expected = digestOf(secret, digest.subarray(DIGEST_BYTES));
  return isEqual(expected, digest.subarray(0, DIGEST_BYTES)) ? secret : undefined;
}

function digestOf(secret: Uint8Array, salt: Uint8Array): Uint8Array {
  return hmacSha256(salt, secret).subarray(0, DIGEST_BYTES);
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
