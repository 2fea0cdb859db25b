import { BinaryParameter, joinSmall } from './binary-parameter.ts';

export interface BindConfig {
  readonly statement?: string | undefined;
  /** Text and numbers, nulls, and binary parameters. */
  readonly values?: readonly unknown[] | undefined;
}

const TEXT_FORMAT = 0;
const BINARY_FORMAT = 1;
const NULL_LENGTH = -1;

/**
 * The Bind message in parts (PostgreSQL manual, 55.7). pg's own would copy each blob twice to build it.
 */
export function bindMessage({ statement = '', values = [] }: BindConfig): Uint8Array[] {
  const parameters = values.map(encoded);
  const head = Buffer.from(`\0${statement}\0`, 'utf8'); // the unnamed portal
  const formats = Buffer.alloc(2 + 2 * parameters.length + 2);
  formats.writeInt16BE(parameters.length, 0);
  for (const [index, { format }] of parameters.entries()) formats.writeInt16BE(format, 2 + 2 * index);
  formats.writeInt16BE(parameters.length, 2 + 2 * parameters.length);
  const parts = [head, formats, ...parameters.flatMap(({ parts: own }) => own), RESULTS_AS_TEXT];
  const length = parts.reduce((sum, part) => sum + part.byteLength, 4);
  const start = Buffer.alloc(5, 'B');
  start.writeInt32BE(length, 1);
  return joinSmall([start, ...parts]);
}

/** One format code for all result columns: text. */
const RESULTS_AS_TEXT = Buffer.of(0, 1, 0, TEXT_FORMAT);

interface EncodedParameter {
  readonly format: number;
  readonly parts: readonly Uint8Array[];
}

function encoded(value: unknown): EncodedParameter {
  if (value === null) return { format: TEXT_FORMAT, parts: [lengthPrefix(NULL_LENGTH)] };
  if (value instanceof BinaryParameter) {
    return { format: BINARY_FORMAT, parts: [lengthPrefix(value.byteLength), ...value.parts] };
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
    throw new TypeError(`a ${typeof value} cannot be bound`);
  }
  const text = Buffer.from(String(value), 'utf8');
  return { format: TEXT_FORMAT, parts: [lengthPrefix(text.byteLength), text] };
}

function lengthPrefix(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(length);
  return bytes;
}
