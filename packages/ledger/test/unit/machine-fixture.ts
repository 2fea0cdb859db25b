import {
  encodeAccounts,
  LedgerMachine,
  NO_FLOOR,
  resultName,
  signerId,
  TransferBatch,
  type Account,
  type MachineOptions,
  type Transfer,
} from '@clawbernetes/ledger';

export const START_MS = Date.UTC(2026, 0, 1);
export const NOBODY = new Uint8Array(32);
export const ALICE = new Uint8Array(32).fill(1);
export const BOB = new Uint8Array(32).fill(2);
export const MALLORY = new Uint8Array(32).fill(3);
/** Owns nothing. */
export const STRANGER = new Uint8Array(32).fill(4);

export const ISSUER = 1n;
/** Accounts of the fixture, with 100 each. */
export const [ALICES, BOBS, MALLORYS] = [2n, 3n, 4n] as const;

/** An id that was made at the start. */
export function id(number: number | bigint, madeAtMs = START_MS): bigint {
  return (BigInt(madeAtMs) << 80n) | BigInt(number);
}

/** One of a signer's own, made at the start. */
export function ownId(signer: Uint8Array, number: number): bigint {
  return signerId(START_MS, signer, number);
}

export function account(over: Partial<Account> & Pick<Account, 'id'>): Account {
  return { owner: NOBODY, floor: 0n, asset: 1, code: 1, flags: 0, ...over };
}

export function open(machine: LedgerMachine, accounts: readonly Account[], signer?: Uint8Array): string[] {
  return names(machine.openAccounts(encodeAccounts(accounts), signer));
}

export type Item = Partial<Transfer> & Pick<Transfer, 'id'>;

export function batchOf(items: readonly Item[]): Uint8Array {
  const batch = new TransferBatch(items.length);
  for (const item of items) batch.add({ code: 1, ...item });
  return batch.bytes;
}

export function transfer(machine: LedgerMachine, items: readonly Item[], signer?: Uint8Array): string[] {
  return names(machine.transfer(batchOf(items), signer));
}

export function names(codes: Iterable<number>): string[] {
  return [...codes].map((code) => resultName(code) ?? `unknown ${code}`);
}

/** A machine at the start of time, with an issuer and three owners who have 100 each. */
export function fundedMachine(options: Partial<MachineOptions> = {}): LedgerMachine {
  const machine = new LedgerMachine({ seed: 1 }, { expectedIds: 0, ...options });
  machine.advance(START_MS);
  open(machine, [
    account({ id: ISSUER, floor: NO_FLOOR }),
    account({ id: ALICES, owner: ALICE }),
    account({ id: BOBS, owner: BOB }),
    account({ id: MALLORYS, owner: MALLORY }),
  ]);
  const gifts = [ALICES, BOBS, MALLORYS].map((creditAccount, index) => ({
    id: id(1_000_000 + index),
    debitAccount: ISSUER,
    creditAccount,
    amount: 100n,
  }));
  transfer(machine, gifts);
  return machine;
}

/** What an account may still spend above zero. */
export function available(machine: LedgerMachine, of: bigint): bigint | undefined {
  const view = machine.account(of);
  return view && view.creditsPosted - view.debitsPosted - view.debitsPending;
}
