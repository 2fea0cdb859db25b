import { createHash } from 'node:crypto';
import { parseKeyName } from '@clawbernetes/identity';
import { NO_FLOOR, OWNER_BYTES, type Account } from '../machine/account-record.ts';

/**
 * What accounts are for; numbers are stored as their code. Of each owner: `available`, which his signature
 * moves; `locked` for jobs not settled; `held`, earned but open to dispute; `stake`; `unbonding`. Of the
 * ledger: `fees` of what is held; `deposits` of open disputes; `treasury`; `outbound`, on its way out; and
 * `external`, which stands for the world outside and may be negative.
 */
export const ACCOUNT_KINDS = {
  available: 1,
  locked: 2,
  held: 3,
  stake: 4,
  unbonding: 5,
  fees: 101,
  deposits: 102,
  treasury: 103,
  outbound: 104,
  external: 105,
} as const;

export type AccountKind = keyof typeof ACCOUNT_KINDS;

/** An account by what it is; `owner` is an address, absent for the ledger's own. */
export interface AccountName {
  readonly kind: AccountKind;
  readonly owner?: string;
}

const DOMAIN = 'clawbernetes/ledger-account/v1';
const NOBODY = new Uint8Array(OWNER_BYTES);

/** The record by which the account is opened. Only `available` is moved by signatures of its owner. */
export function standardAccount(name: AccountName, asset: number): Account {
  const { kind, owner } = name;
  return {
    id: accountId(name, asset),
    owner: kind === 'available' && owner !== undefined ? parseKeyName(owner) : NOBODY,
    floor: kind === 'external' ? NO_FLOOR : 0n,
    asset,
    code: ACCOUNT_KINDS[kind],
    flags: 0,
  };
}

/**
 * First 16 bytes of SHA-256 over domain, owner's key (zeros for the ledger's own), kind u16 and asset u32;
 * the first byte is 0xff instead, which keeps anybody else from opening it.
 */
export function accountId({ kind, owner }: AccountName, asset: number): bigint {
  const key = owner === undefined ? NOBODY : parseKeyName(owner);
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(ACCOUNT_KINDS[kind], 0);
  numbers.writeUInt32BE(asset, 2);
  const digest = createHash('sha256').update(DOMAIN).update(key).update(numbers).digest();
  digest[0] = 0xff;
  return BigInt(`0x${digest.toString('hex', 0, 16)}`);
}
