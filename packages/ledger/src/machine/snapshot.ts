import { assert } from '@clawbernetes/kernel';
import { ACCOUNT_BYTES, encodeAccounts, OWNER_BYTES, readAccount } from './account-record.ts';
import type { AccountTable } from './account-table.ts';
import { u32 } from './cells.ts';
import type { IdMemory } from './id-memory.ts';
import { ID_STATE } from './id-state.ts';
import type { PendingTable } from './pending-table.ts';
import type { RequestMemory } from './request-memory.ts';

/**
 * All that the machine knows, save the ids that are set aside: sections of fixed-size records, in an order
 * that depends on the state alone, so that equal states have equal bytes.
 */
export interface Snapshot {
  readonly timeMs: number;
  /** Ids from before this time are refused. */
  readonly sinceMs: number;
  /** Under which the fingerprints of ids were taken. No part of the state: leave it out of its hash. */
  readonly fingerprintKey: Uint8Array<ArrayBuffer>;
  /** By number: account record, then its four sums of 8 bytes. */
  readonly accounts: Uint8Array<ArrayBuffer>;
  /** By id: id 16, debit u32, credit u32, amount u64, expiry f64. */
  readonly pending: Uint8Array<ArrayBuffer>;
  /** By signer: key 32, nonce f64, signature 64. */
  readonly requests: Uint8Array<ArrayBuffer>;
}

export interface MachineTables {
  readonly accounts: AccountTable;
  readonly pending: PendingTable;
  readonly ids: IdMemory;
  readonly requests: RequestMemory;
}

const ACCOUNT_ENTRY_BYTES = ACCOUNT_BYTES + 32;
const PENDING_ENTRY_BYTES = 40;
const SIGNATURE_BYTES = 64;
const REQUEST_ENTRY_BYTES = OWNER_BYTES + 8 + SIGNATURE_BYTES;

export function takeSnapshot(tables: MachineTables, timeMs: number): Snapshot {
  return {
    timeMs,
    sinceMs: tables.ids.sinceMs,
    fingerprintKey: tables.ids.key,
    accounts: writeAccounts(tables.accounts),
    pending: writePending(tables.pending),
    requests: writeRequests(tables.requests),
  };
}

/** Fills empty tables. The ids of what is pending come with the ids that are held, not from here. */
export function restoreSnapshot(tables: MachineTables, snapshot: Snapshot): void {
  readAccounts(tables.accounts, snapshot.accounts);
  readPending(tables, snapshot.pending);
  readRequests(tables.requests, snapshot.requests);
  tables.ids.forgetBefore(snapshot.sinceMs);
  tables.ids.useKey(snapshot.fingerprintKey);
}

function writeAccounts(accounts: AccountTable): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(accounts.size * ACCOUNT_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (let number = 0; number < accounts.size; number += 1) {
    const { ids, ...facts } = accounts.facts(number);
    const at = number * ACCOUNT_ENTRY_BYTES;
    const owner = accounts.ownerKey(accounts.owner(number));
    bytes.set(encodeAccounts([{ id: wideOf(ids), owner, ...facts }]), at);
    for (let column = 0; column < 4; column += 1)
      view.setBigUint64(at + ACCOUNT_BYTES + 8 * column, accounts.sum(number, column), true);
  }
  return bytes;
}

function readAccounts(accounts: AccountTable, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += ACCOUNT_ENTRY_BYTES) {
    const ids = new Uint32Array(bytes.slice(at, at + 16).buffer);
    const number = accounts.add(ids, 0, readAccount(bytes.subarray(at, at + ACCOUNT_BYTES), 0));
    const sum = (column: number): bigint => view.getBigUint64(at + ACCOUNT_BYTES + 8 * column, true);
    accounts.restoreBalance(number, {
      debitsPending: sum(0),
      debitsPosted: sum(1),
      creditsPending: sum(2),
      creditsPosted: sum(3),
    });
  }
}

function writePending(pending: PendingTable): Uint8Array<ArrayBuffer> {
  const slots = [...pending.slots()].toSorted((left, right) => compareIds(pending.ids, left, right));
  const bytes = new Uint8Array(slots.length * PENDING_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, slot] of slots.entries()) {
    const at = index * PENDING_ENTRY_BYTES;
    for (let word = 0; word < 4; word += 1)
      view.setUint32(at + 4 * word, u32(pending.ids, 4 * slot + word), true);
    view.setUint32(at + 16, pending.debit(slot), true);
    view.setUint32(at + 20, pending.credit(slot), true);
    view.setBigUint64(at + 24, pending.amount(slot), true);
    view.setFloat64(at + 32, pending.expiresAtMs(slot), true);
  }
  return bytes;
}

function readPending({ pending, ids }: MachineTables, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += PENDING_ENTRY_BYTES) {
    const id = new Uint32Array(bytes.slice(at, at + 16).buffer);
    const [debit, credit] = [view.getUint32(at + 16, true), view.getUint32(at + 20, true)];
    const amount = view.getBigUint64(at + 24, true);
    const expiresAtMs = view.getFloat64(at + 32, true);
    const slot = pending.add(id, 0, { debit, credit, amount, expiresAtMs });
    const place = ids.find(id, 0);
    assert(place >= 0 && ids.state(place) === ID_STATE.live, 'the id of what is pending is held');
    ids.change(place, ID_STATE.live, slot);
  }
}

function writeRequests(requests: RequestMemory): Uint8Array<ArrayBuffer> {
  const entries = requests.entries();
  const bytes = new Uint8Array(entries.length * REQUEST_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { signer, nonce, signature }] of entries.entries()) {
    const at = index * REQUEST_ENTRY_BYTES;
    bytes.set(signer, at);
    view.setFloat64(at + OWNER_BYTES, nonce, true);
    bytes.set(signature, at + OWNER_BYTES + 8);
  }
  return bytes;
}

function readRequests(requests: RequestMemory, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += REQUEST_ENTRY_BYTES) {
    const nonce = view.getFloat64(at + OWNER_BYTES, true);
    const signature = bytes.subarray(at + OWNER_BYTES + 8, at + REQUEST_ENTRY_BYTES);
    requests.note(bytes.subarray(at, at + OWNER_BYTES), nonce, signature);
  }
}

function wideOf(halves: Uint32Array): bigint {
  let value = 0n;
  for (let word = 3; word >= 0; word -= 1) value = (value << 32n) | BigInt(u32(halves, word));
  return value;
}

function compareIds(ids: Uint32Array, left: number, right: number): number {
  for (let word = 3; word >= 0; word -= 1) {
    const difference = u32(ids, 4 * left + word) - u32(ids, 4 * right + word);
    if (difference !== 0) return difference;
  }
  return 0;
}
