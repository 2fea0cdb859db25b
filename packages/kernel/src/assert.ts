import { CodedError } from './coded-error.ts';

/** States an invariant, in production too: it is better to stop than to be wrong. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new CodedError(`Invariant broken: ${invariant}`, { code: 'assertion-failed' });
}

/** Makes the compiler prove that every member of a union is handled. */
export function unreachable(value: never): never {
  throw new CodedError(`Unhandled value: ${JSON.stringify(value)}`, { code: 'assertion-failed' });
}

/** The value, which must be there: for look-ups whose key an invariant guarantees. */
export function present<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, `${what} is present`);
  return value;
}
