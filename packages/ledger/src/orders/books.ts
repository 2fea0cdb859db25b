import { createHash } from 'node:crypto';
import { assert, CodedError } from '@clawbernetes/kernel';
import { check, refuse, type OrderResultName } from '@clawbernetes/orders';
import { encodeAccounts, type Account } from '../machine/account-record.ts';
import { entryState, type IdMemory } from '../machine/id-memory.ts';
import { ID_STATE } from '../machine/id-state.ts';
import type { LedgerMachine } from '../machine/ledger-machine.ts';
import { RESULTS, resultName, type ResultName } from '../machine/result-code.ts';
import {
  HALF,
  TRANSFER_FLAGS,
  TRANSFER_HALVES,
  TransferBatch,
  type Transfer,
} from '../machine/transfer-record.ts';
import { MOVEMENT_KINDS, type MovementKind } from './movement-kinds.ts';
import { accountId, standardAccount, type AccountName } from './standard-accounts.ts';

/** One step of a chain. Steps that move nothing are left out. */
export type Step =
  | {
      readonly do: 'move' | 'reserve';
      readonly from: AccountName;
      readonly to: AccountName;
      readonly amount: bigint;
      readonly kind: MovementKind;
    }
  | {
      readonly do: 'post';
      readonly pendingId: bigint;
      readonly amount: bigint;
      readonly kind: MovementKind;
    }
  | { readonly do: 'void'; readonly pendingId: bigint; readonly kind: MovementKind };

export interface Booking {
  /** What the chain belongs to: ids of transfers derive from it, so it is never used twice at one time. */
  readonly cause: string;
  readonly timeMs: number;
  /** The escrow, agreement or withdrawal; 0n if there is none. */
  readonly reference: bigint;
}

/** Two ids of one ms can meet, by chance or on purpose; then the next one is taken. */
const MAX_ATTEMPTS = 8;

/** How the order layer moves money: chains of transfers of the machine, each done wholly or not at all. */
export class Books {
  readonly #machine: LedgerMachine;
  #asset = 0;

  constructor(machine: LedgerMachine) {
    this.#machine = machine;
  }

  /** What all its accounts hold; set once, before anything is moved. */
  setAsset(asset: number): void {
    this.#asset = asset;
  }

  /** What an account has and has not reserved; 0n for one that is not open. */
  balance(name: AccountName): bigint {
    const account = this.#machine.account(accountId(name, this.#asset));
    if (!account) return 0n;
    return account.creditsPosted - account.debitsPosted - account.debitsPending;
  }

  isOpen(name: AccountName): boolean {
    return this.#machine.account(accountId(name, this.#asset)) !== undefined;
  }

  /** Opens an account that is not open yet. */
  open(name: AccountName): void {
    this.#openAll([name]);
  }

  /**
   * Does all steps or none.
   * @returns the id of the transfer that reserves, 0n if no step does. Refuses with why it cannot be done.
   */
  book(booking: Booking, steps: readonly Step[]): bigint {
    const moving = steps.filter((step) => step.do === 'void' || step.amount > 0n);
    if (moving.length === 0) return 0n;
    this.#checkFunds(moving);
    this.#openAll(moving.flatMap((step) => ('from' in step ? [step.from, step.to] : [])));
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const transfers = moving.map((step, index) => this.#transfer(step, booking, `${index}.${attempt}`));
      const failure = this.#run(transfers);
      if (failure === undefined) return transfers.find(isReservation)?.id ?? 0n;
      if (failure !== 'id-conflict') refuse(REFUSALS[failure] ?? inconsistent(failure));
    }
    return refuse('account-conflict');
  }

  /** Before accounts are opened for it: whoever has nothing leaves nothing behind. */
  #checkFunds([first]: readonly Step[]): void {
    if (first?.do !== 'move' || first.from.kind === 'external') return;
    check(this.balance(first.from) >= first.amount, 'insufficient-funds');
  }

  #openAll(names: readonly AccountName[]): void {
    const accounts = new Map<bigint, Account>();
    for (const name of names) {
      const account = standardAccount(name, this.#asset);
      accounts.set(account.id, account);
    }
    // Repeating it is harmless, and shows that whatever has the id is what it should be.
    for (const code of this.#machine.openAccounts(encodeAccounts([...accounts.values()]))) {
      check(code !== RESULTS['too-many-accounts'].code, 'ledger-full');
      check(code === RESULTS.ok.code, 'account-conflict');
    }
  }

  /** @returns why the chain failed, if it did. */
  #run(transfers: readonly Transfer[]): ResultName | undefined {
    const batch = new TransferBatch(transfers.length);
    for (const [index, transfer] of transfers.entries()) {
      const isLast = index === transfers.length - 1;
      batch.add(isLast ? transfer : { ...transfer, flags: transfer.flags | TRANSFER_FLAGS.linked });
    }
    // As a repeat of what was done before it would be told that it is done, and would move nothing.
    if (areUsed(this.#machine.ids, batch)) return 'id-conflict';
    const codes = this.#machine.transfer(batch.bytes);
    const failed = codes.find((code) => code !== RESULTS.ok.code && code !== LINKED_FAILED);
    if (failed !== undefined) return resultName(failed);
    assert(
      codes.every((code) => code === RESULTS.ok.code),
      'a chain is done wholly or fails for a reason',
    );
    return undefined;
  }

  #transfer(step: Step, { cause, timeMs, reference }: Booking, place: string): Transfer {
    const isOfPending = step.do === 'post' || step.do === 'void';
    return {
      id: transferId(cause, timeMs, place),
      debitAccount: isOfPending ? 0n : accountId(step.from, this.#asset),
      creditAccount: isOfPending ? 0n : accountId(step.to, this.#asset),
      pendingId: isOfPending ? step.pendingId : 0n,
      amount: step.do === 'void' ? 0n : step.amount,
      reference,
      timeoutSeconds: 0,
      code: MOVEMENT_KINDS[step.kind],
      flags: FLAGS[step.do],
    };
  }
}

/**
 * Whether an id of these was used for what was done. Whoever signs many orders of one meaning finds two whose
 * ids are the same, as 48 bits of a hash are few.
 */
function areUsed(ids: IdMemory, { bytes, count }: TransferBatch): boolean {
  const halves = new Uint32Array(bytes.buffer, bytes.byteOffset, count * TRANSFER_HALVES);
  for (let at = HALF.id; at < halves.length; at += TRANSFER_HALVES) {
    const place = ids.find(halves, at);
    const entry = place < 0 ? ids.findOlder(halves, at) : ids.entry(place);
    const state = entry ? entryState(entry) : ID_STATE.none;
    if (state !== ID_STATE.none && state !== ID_STATE.failed) return true;
  }
  return false;
}

const LINKED_FAILED = RESULTS['linked-event-failed'].code;

const FLAGS = {
  move: 0,
  reserve: TRANSFER_FLAGS.pending,
  post: TRANSFER_FLAGS.post,
  void: TRANSFER_FLAGS.void,
} as const;

/** What can keep a chain from being booked although the order layer is right. */
const REFUSALS: Partial<Record<ResultName, OrderResultName>> = {
  'insufficient-funds': 'insufficient-funds',
  'debit-account-frozen': 'account-frozen',
  'credit-account-frozen': 'account-frozen',
  'balance-too-large': 'balance-too-large',
  'too-many-pending': 'ledger-full',
  // So many ids of a later time are remembered that none of this time is taken.
  'id-too-old': 'ledger-full',
};

function isReservation({ flags }: Transfer): boolean {
  return (flags & TRANSFER_FLAGS.pending) !== 0;
}

/** Of ids that nobody else may use (see isLedgerId). */
const OWN = 0xffff_ffffn << 32n;

/** Time in the upper 48 bits, and 48 bits of SHA-256 over the cause and the place in its chain. */
function transferId(cause: string, timeMs: number, place: string): bigint {
  const digest = createHash('sha256')
    .update(`clawbernetes/ledger-movement/v1 ${cause} ${place}`)
    .digest('hex');
  const [high, low] = [BigInt(`0x${digest.slice(0, 4)}`), BigInt(`0x${digest.slice(4, 12)}`)];
  return (BigInt(timeMs) << 80n) | (high << 64n) | OWN | low;
}

function inconsistent(failure: ResultName): never {
  const message = `Invariant broken: the order layer and the accounts agree (${failure})`;
  throw new CodedError(message, { code: 'assertion-failed' });
}
