import { assert, canonicalJson, type Json } from '@clawbernetes/kernel';
import type { SeenNonces } from './nonce-memory.ts';
import type { OrderState } from './order-state.ts';
import { claimKey } from './earnings.ts';
import type { Agreement, Claim, Deposit, Escrow, FaucetUse, Settings, Stake, Withdrawal } from './records.ts';

/**
 * One line of canonical JSON per record, `[kind, record]`, sorted, so that equal states have equal bytes. An
 * amount is `{"$": "…"}`.
 */
export function snapshotState(state: OrderState, timeMs: number): Uint8Array<ArrayBuffer> {
  const lines = [...linesOf(state)].toSorted();
  const first = canonicalJson({ version: 1, timeMs, events: state.events });
  return new TextEncoder().encode([first, ...lines, ''].join('\n'));
}

/** Fills a new state. @returns its time. */
export function restoreState(state: OrderState, bytes: Uint8Array): number {
  const [first = '', ...lines] = new TextDecoder().decode(bytes).split('\n');
  const { version, timeMs, events } = JSON.parse(first) as Record<string, number | undefined>;
  assert(version === 1 && timeMs !== undefined && events !== undefined, 'the snapshot is of this version');
  state.events = events;
  for (const written of lines) {
    if (written === '') continue;
    // What this machine has written: the record of each kind is as it was.
    const [kind, record] = JSON.parse(written, revive) as [keyof typeof RESTORE, never];
    RESTORE[kind](state, record);
  }
  return timeMs;
}

const RESTORE = {
  settings: (state: OrderState, settings: Settings) => {
    state.settings = settings;
  },
  escrow: (state: OrderState, escrow: Escrow) => {
    state.keepEscrow(escrow);
  },
  claim: (state: OrderState, claim: Claim) => {
    state.claims.set(claimKey(claim.escrow, claim.number), claim);
  },
  stake: (state: OrderState, stake: Stake) => {
    state.stakes.set(stake.owner, stake);
  },
  agreement: (state: OrderState, agreement: Agreement) => {
    state.agreements.set(agreement.id, agreement);
  },
  withdrawal: (state: OrderState, withdrawal: Withdrawal) => {
    state.withdrawals.set(withdrawal.id, withdrawal);
  },
  deposit: (state: OrderState, deposit: Deposit) => {
    state.deposits.set(deposit.id, deposit);
  },
  faucet: (state: OrderState, use: FaucetUse) => {
    state.faucet.set(use.owner, use);
  },
  nonces: (state: OrderState, seen: SeenNonces) => {
    state.nonces.restore(seen);
  },
  due: (state: OrderState, [key, atMs]: readonly [string, number]) => {
    state.due.set(key, atMs);
  },
};

function* linesOf(state: OrderState): Generator<string, void, undefined> {
  if (state.settings) yield line('settings', state.settings);
  for (const escrow of state.escrows.values()) yield line('escrow', escrow);
  for (const claim of state.claims.values()) yield line('claim', claim);
  for (const stake of state.stakes.values()) yield line('stake', stake);
  for (const agreement of state.agreements.values()) yield line('agreement', agreement);
  for (const withdrawal of state.withdrawals.values()) yield line('withdrawal', withdrawal);
  for (const deposit of state.deposits.values()) yield line('deposit', deposit);
  for (const use of state.faucet.values()) yield line('faucet', use);
  for (const seen of state.nonces.entries()) yield line('nonces', seen);
  for (const due of state.due.entries()) yield line('due', due);
}

function line(kind: keyof typeof RESTORE, record: unknown): string {
  return canonicalJson([kind, toJson(record)]);
}

function toJson(value: unknown): Json {
  if (typeof value === 'bigint') return { $: value.toString() };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) {
    const isText = value === null || typeof value === 'string';
    assert(isText || typeof value === 'number' || typeof value === 'boolean', 'records hold plain data');
    return value;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, toJson(member)]));
}

function revive(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$' in value)) return value;
  return typeof value.$ === 'string' ? BigInt(value.$) : value;
}
