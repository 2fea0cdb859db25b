import { assert } from '@clawbernetes/kernel';
import { ledgerError } from '../errors.ts';
import { OWNER_BYTES } from '../machine/account-record.ts';
import { NEWEST_RULES } from '../machine/rules.ts';

/** What the items of an operation are. Numbers are stored. */
export const OPERATIONS = { accounts: 1, transfers: 2, freezes: 3, forget: 4, orders: 5 } as const;
export type OperationKind = keyof typeof OPERATIONS;
const KINDS = new Map<number, OperationKind>(
  Object.entries(OPERATIONS).map(([kind, number]) => [number, kind as OperationKind]),
);

/** Who asks, by his signature over the items (see signedBytes). */
export interface Authority {
  readonly signer: Uint8Array;
  /** Rises with every request of a signer. Below 2^53. */
  readonly nonce: number;
  /** The request is refused after this, ms since 1970. */
  readonly expiresAtMs: number;
  readonly signature: Uint8Array;
}

export interface Operation {
  readonly kind: OperationKind;
  readonly items: Uint8Array;
  /** Absent: the ledger itself. */
  readonly authority?: Authority;
}

/** What is journalled, and applied, as one: the operations of one turn, and the time at which they happen. */
export interface Frame {
  readonly timeMs: number;
  /** Under which it is booked (see rules.ts). */
  readonly rules: number;
  readonly operations: readonly Operation[];
}

/** "MLL" and, in the upper byte, the digit of the rules. */
const MAGIC = 0x004c4c4d;
const MAGIC_MASK = 0x00ff_ffff;
const RULES_SHIFT = 24;
const ZERO_DIGIT = 0x30;
/** One digit. */
const MAX_RULES = 9;
const SIGNATURE_BYTES = 64;
const HEADER_BYTES = 16;
const OPERATION_BYTES = 16;
const AUTHORITY_BYTES = OWNER_BYTES + 16 + SIGNATURE_BYTES;
const SIGNED = 1;

export function frameBytes(operations: readonly Operation[]): number {
  let bytes = HEADER_BYTES;
  for (const operation of operations) bytes += operationBytes(operation);
  return bytes;
}

export function operationBytes({ items, authority }: Operation): number {
  return OPERATION_BYTES + (authority ? AUTHORITY_BYTES : 0) + padded(items.length);
}

/**
 * Header: magic and rules u32, operations u32, time f64. Each operation: kind u8, flags u8, length of the
 * items u32 at byte 4; signer, nonce f64, expiry f64 and signature if it is signed; the items, padded to 8
 * bytes so that they can be read in place.
 * @param bytes zeros, of the length `frameBytes`.
 */
export function encodeFrame<Buffer extends ArrayBufferLike>(
  { timeMs, rules, operations }: Frame,
  bytes: Uint8Array<Buffer>,
): Uint8Array<Buffer> {
  assert(bytes.length === frameBytes(operations), 'a frame is encoded into as many bytes as it takes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(0, MAGIC | ((ZERO_DIGIT + rules) << RULES_SHIFT), true);
  view.setUint32(4, operations.length, true);
  view.setFloat64(8, timeMs, true);
  let offset = HEADER_BYTES;
  for (const { kind, items, authority } of operations) {
    view.setUint8(offset, OPERATIONS[kind]);
    view.setUint8(offset + 1, authority ? SIGNED : 0);
    view.setUint32(offset + 4, items.length, true);
    offset += OPERATION_BYTES;
    if (authority) offset = putAuthority(bytes, offset, authority);
    bytes.set(items, offset);
    offset += padded(items.length);
  }
  return bytes;
}

/** Items are views into `bytes`. @throws CodedError `journal-damaged`, `journal-too-new`. */
export function decodeFrame(bytes: Uint8Array, sequence: number): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rules = readRules(view, sequence);
  const operations: Operation[] = [];
  let offset = HEADER_BYTES;
  for (let left = view.getUint32(4, true); left > 0; left -= 1) {
    if (offset + OPERATION_BYTES > bytes.length) throw damaged(sequence);
    const kind = kindOf(view.getUint8(offset), sequence);
    const isSigned = view.getUint8(offset + 1) === SIGNED;
    const length = view.getUint32(offset + 4, true);
    const begin = offset + OPERATION_BYTES + (isSigned ? AUTHORITY_BYTES : 0);
    if (begin + length > bytes.length) throw damaged(sequence);
    const authority = isSigned ? readAuthority(bytes, offset + OPERATION_BYTES) : undefined;
    operations.push({ kind, items: bytes.subarray(begin, begin + length), ...(authority && { authority }) });
    offset = begin + padded(length);
  }
  if (offset !== bytes.length) throw damaged(sequence);
  return { timeMs: view.getFloat64(8, true), rules, operations };
}

function putAuthority(bytes: Uint8Array, offset: number, authority: Authority): number {
  const { signer, nonce, expiresAtMs, signature } = authority;
  assert(
    signer.length === OWNER_BYTES && signature.length === SIGNATURE_BYTES,
    'keys and signatures have one size',
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  bytes.set(signer, offset);
  view.setFloat64(offset + OWNER_BYTES, nonce, true);
  view.setFloat64(offset + OWNER_BYTES + 8, expiresAtMs, true);
  bytes.set(signature, offset + OWNER_BYTES + 16);
  return offset + AUTHORITY_BYTES;
}

function readAuthority(bytes: Uint8Array, offset: number): Authority {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    signer: bytes.slice(offset, offset + OWNER_BYTES),
    nonce: view.getFloat64(offset + OWNER_BYTES, true),
    expiresAtMs: view.getFloat64(offset + OWNER_BYTES + 8, true),
    signature: bytes.slice(offset + OWNER_BYTES + 16, offset + AUTHORITY_BYTES),
  };
}

function readRules(view: DataView, sequence: number): number {
  const magic = view.byteLength < HEADER_BYTES ? 0 : view.getUint32(0, true);
  const rules = (magic >>> RULES_SHIFT) - ZERO_DIGIT;
  if ((magic & MAGIC_MASK) !== MAGIC || rules < 1 || rules > MAX_RULES) throw damaged(sequence);
  if (rules > NEWEST_RULES) throw tooNew(sequence, `is booked under rules (${rules})`);
  return rules;
}

function kindOf(number: number, sequence: number): OperationKind {
  const kind = KINDS.get(number);
  if (kind) return kind;
  throw tooNew(sequence, `holds an operation (${number})`);
}

function tooNew(sequence: number, what: string): Error {
  const message =
    `Frame ${sequence} of the journal ${what} that this version does not know. Run the version that wrote it, ` +
    'or a newer one.';
  return ledgerError(message, { code: 'journal-too-new', sequence });
}

function damaged(sequence: number): Error {
  return ledgerError(`Frame ${sequence} of the journal is damaged. Restore it from a backup.`, {
    code: 'journal-damaged',
    sequence,
  });
}

function padded(length: number): number {
  return (length + 7) & ~7;
}
