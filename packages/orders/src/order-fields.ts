import { addressOf, readKeyName } from '@clawbernetes/identity';
import { check, refuse } from './order-result.ts';

/**
 * Reads one value of outside data, or refuses it. Written by hand: what a journal holds is read alike
 * forever.
 */
export type Reader<Value> = (value: unknown) => Value;

/** What was read; a field that may be undefined can also be left out by code that makes such a value. */
export type Shape<Fields extends Record<string, Reader<unknown>>> = {
  readonly [Name in keyof Fields as undefined extends ReturnType<Fields[Name]> ? never : Name]: ReturnType<
    Fields[Name]
  >;
} & {
  readonly [Name in keyof Fields as undefined extends ReturnType<Fields[Name]> ? Name : never]?: ReturnType<
    Fields[Name]
  >;
};

/** An object of exactly these fields. */
export function shape<const Fields extends Record<string, Reader<unknown>>>(
  fields: Fields,
): Reader<Shape<Fields>> {
  return (value) => {
    if (!isObject(value)) refuse('order-malformed');
    check(
      Object.keys(value).every((name) => Object.hasOwn(fields, name)),
      'order-malformed',
    );
    const read = Object.entries(fields).map(([name, reader]) => [name, reader(value[name])] as const);
    // Each field was read by the reader of that name.
    return Object.fromEntries(read) as Shape<Fields>;
  };
}

/** `otherwise` where the field is left out. */
export function optional<Value, const Otherwise>(
  reader: Reader<Value>,
  otherwise: Otherwise,
): Reader<Value | Otherwise> {
  return (value) => (value === undefined ? otherwise : reader(value));
}

export function list<Value>(reader: Reader<Value>, least: number, most: number): Reader<readonly Value[]> {
  return (value) => {
    if (!Array.isArray(value)) refuse('order-malformed');
    check(value.length >= least && value.length <= most, 'order-malformed');
    return value.map(reader);
  };
}

export function oneOf<const Name extends string>(...names: readonly Name[]): Reader<Name> {
  return (value) => names.find((name) => name === value) ?? refuse('order-malformed');
}

/** Printable text of at most so many UTF-16 code units. */
export function text(most: number): Reader<string> {
  return (value) => {
    if (typeof value !== 'string' || value.length === 0 || value.length > most) refuse('order-malformed');
    // eslint-disable-next-line no-control-regex
    check(!/[\u0000-\u001f\u007f]/.test(value), 'order-malformed');
    return value;
  };
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number): Reader<number> {
  return (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) refuse('order-malformed');
    check(value >= least && value <= most, 'order-malformed');
    return value;
  };
}

/** ms since 1970, within what 48 bits hold. */
export const readTimeMs = whole(0, 2 ** 48 - 1);

/** SHA-256, hexadecimal. */
export const readHash: Reader<string> = (value) => {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) refuse('order-malformed');
  return value;
};

/** Of an escrow, agreement or the like: u128, hexadecimal, of which the upper 48 bits are the time. */
export const readId: Reader<string> = (value) => {
  if (typeof value !== 'string' || !/^[0-9a-f]{32}$/.test(value)) refuse('id-malformed');
  return value;
};

/** Base58 of a key, in its one spelling. */
export const readAddress: Reader<string> = (value) => {
  if (typeof value !== 'string') refuse('address-malformed');
  const key = readKeyName(value);
  check(key !== undefined && addressOf(key) === value, 'address-malformed');
  // The zero key is the system's own on Solana; nobody can sign for it.
  check(
    key.some((byte) => byte !== 0),
    'address-malformed',
  );
  return value;
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
