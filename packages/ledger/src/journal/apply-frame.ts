import { assert, unreachable } from '@clawbernetes/kernel';
import { ACCOUNT_BYTES } from '../machine/account-record.ts';
import { FREEZE_BYTES, readFreeze } from '../machine/freeze-record.ts';
import type { Expiry, LedgerMachine } from '../machine/ledger-machine.ts';
import { RESULTS } from '../machine/result-code.ts';
import { TRANSFER_BYTES } from '../machine/transfer-record.ts';
import type { OrderMachine } from '../orders/order-machine.ts';
import type { Frame, Operation, OperationKind } from './frame.ts';

/** Of the kinds whose items all have one size. An operation of `orders` is one order, of any length. */
export const ITEM_BYTES: Readonly<Record<Exclude<OperationKind, 'orders'>, number>> = {
  accounts: ACCOUNT_BYTES,
  transfers: TRANSFER_BYTES,
  freezes: FREEZE_BYTES,
  // A time, f64 ms: ids from before are refused from then on.
  forget: 8,
};

export interface Applied {
  readonly expired: readonly Expiry[];
  /** Per operation: a result code for each item. */
  readonly results: readonly Uint8Array[];
}

export function itemCount({ kind, items }: Operation): number {
  return kind === 'orders' ? 1 : items.length / ITEM_BYTES[kind];
}

/**
 * Runs a frame on the machines: once when it is new, and again, with the same outcome, at every replay.
 * @param orders may be absent where no frame holds orders.
 */
export function applyFrame(
  machine: LedgerMachine,
  { timeMs, rules, operations }: Frame,
  orders?: OrderMachine,
): Applied {
  const expired = machine.advance(timeMs, rules);
  orders?.advance(timeMs, rules);
  const results = operations.map((operation) =>
    operation.kind === 'orders' ? applyOrder(orders, operation, timeMs) : applyOperation(machine, operation),
  );
  return { expired, results };
}

function applyOrder(
  orders: OrderMachine | undefined,
  { items, authority }: Operation,
  timeMs: number,
): Uint8Array {
  assert(orders !== undefined && !authority, 'orders are signed within, and there is a machine for them');
  return Uint8Array.of(orders.applyBytes(items, timeMs));
}

function applyOperation(machine: LedgerMachine, operation: Operation): Uint8Array {
  const { authority } = operation;
  const fault = authority ? machine.requestFault(authority) : RESULTS.ok.code;
  if (fault !== RESULTS.ok.code) return new Uint8Array(itemCount(operation)).fill(fault);
  const results = applyItems(machine, operation);
  if (authority) machine.noteRequest(authority);
  return results;
}

function applyItems(machine: LedgerMachine, operation: Operation): Uint8Array {
  const { kind, items, authority } = operation;
  assert(kind !== 'orders', 'orders have a machine of their own');
  switch (kind) {
    case 'accounts':
      return machine.openAccounts(items, authority?.signer);
    case 'transfers':
      return machine.transfer(items, authority?.signer);
    case 'freezes':
      return freeze(machine, operation);
    case 'forget':
      return forget(machine, operation);
    default:
      return unreachable(kind);
  }
}

/** Only the ledger itself freezes. */
function freeze(machine: LedgerMachine, { items, authority }: Operation): Uint8Array {
  const results = new Uint8Array(items.length / FREEZE_BYTES);
  for (let index = 0; index < results.length; index += 1) {
    const { account, frozen } = readFreeze(items, index);
    results[index] = authority ? RESULTS['not-authorized'].code : machine.setFrozen(account, frozen);
  }
  return results;
}

/** Only the ledger itself forgets. */
function forget(machine: LedgerMachine, { items, authority }: Operation): Uint8Array {
  if (authority) return new Uint8Array(items.length / ITEM_BYTES.forget).fill(RESULTS['not-authorized'].code);
  const view = new DataView(items.buffer, items.byteOffset, items.byteLength);
  for (let at = 0; at < items.length; at += ITEM_BYTES.forget)
    machine.forgetBefore(view.getFloat64(at, true));
  return new Uint8Array(items.length / ITEM_BYTES.forget);
}
