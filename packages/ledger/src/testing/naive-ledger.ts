import type { Account } from '../machine/account-record.ts';
import { NO_FLOOR } from '../machine/account-record.ts';
import type { Balance } from '../machine/account-table.ts';
import { RESULTS, type ResultName } from '../machine/result-code.ts';
import { TRANSFER_FLAGS, type Transfer } from '../machine/transfer-record.ts';
import { Draft } from './draft.ts';

export interface NaiveAccount extends Balance {
  readonly id: bigint;
  /** Hex of the public key. */
  readonly owner: string;
  readonly floor: bigint;
  readonly asset: number;
  readonly code: number;
  readonly frozen: boolean;
}

export interface NaivePending {
  readonly id: bigint;
  readonly debit: bigint;
  readonly credit: bigint;
  readonly amount: bigint;
  readonly expiresAtMs: number;
}

/** What an id was used for: the request as text, its answer, and what became of it if it was pending. */
interface Entry {
  readonly request: string;
  readonly answer: ResultName;
  readonly ended?: 'posted' | 'voided' | 'expired';
}

interface World {
  readonly accounts: Draft<NaiveAccount>;
  readonly pending: Draft<NaivePending>;
  readonly entries: Draft<Entry>;
}

interface NaiveLimits {
  readonly maxAccounts: number;
  readonly maxPending: number;
}

const TOO_LARGE = 1n << 63n;
const KNOWN_FLAGS = 15;
const AHEAD_MS = 60_000;
const NOBODY = '00'.repeat(32);

/**
 * The ledger once more, after its documentation instead of its code: slow, with plain objects and numbers
 * without limit. What it answers is what the machine has to answer.
 */
export class NaiveLedger {
  readonly #limits: NaiveLimits;
  readonly #world: World = { accounts: new Draft(), pending: new Draft(), entries: new Draft() };
  #timeMs = 0;
  #sinceMs = 0;

  constructor(limits: NaiveLimits) {
    this.#limits = limits;
  }

  get timeMs(): number {
    return this.#timeMs;
  }

  get pendingCount(): number {
    return this.#world.pending.size;
  }

  accounts(): readonly NaiveAccount[] {
    return this.#world.accounts.values();
  }

  /** Ids of what expired, the earliest first, those of one instant by id. */
  advance(timeMs: number): readonly bigint[] {
    this.#timeMs = timeMs;
    const gone = this.#world.pending.values().filter(({ expiresAtMs }) => expiresAtMs <= timeMs);
    const inOrder = gone.toSorted((a, b) => a.expiresAtMs - b.expiresAtMs || (a.id < b.id ? -1 : 1));
    for (const pending of inOrder) end(this.#world, pending, 'expired');
    return inOrder.map(({ id }) => id);
  }

  forgetBefore(timeMs: number): void {
    this.#sinceMs = Math.max(this.#sinceMs, timeMs);
  }

  setFrozen(id: bigint, frozen: boolean): ResultName {
    const account = this.#world.accounts.get(id);
    if (!account) return 'account-not-found';
    this.#world.accounts.set(id, { ...account, frozen });
    return 'ok';
  }

  openAccounts(accounts: readonly Account[], signer?: Uint8Array): ResultName[] {
    return accounts.map((account) => this.#open(account, signer && hex(signer)));
  }

  transfer(transfers: readonly Transfer[], signer?: Uint8Array): ResultName[] {
    return chainsOf(transfers).flatMap((chain) => this.#chain(chain, signer && hex(signer)));
  }

  #open(account: Account, signer: string | undefined): ResultName {
    const { id, floor, asset, code, flags } = account;
    const owner = hex(account.owner);
    if (id === 0n) return 'id-zero';
    if (asset === 0) return 'asset-zero';
    if (code === 0) return 'code-zero';
    if (flags !== 0) return 'flags-invalid';
    if (signer !== undefined && (signer !== owner || signer === NOBODY || floor < 0n))
      return 'not-authorized';
    if (signer !== undefined && id >> 120n === 0xffn) return 'not-authorized';
    const known = this.#world.accounts.get(id);
    const facts = { id, owner, floor, asset, code };
    if (known) {
      const { id: _id, owner: knownOwner, floor: knownFloor, asset: knownAsset, code: knownCode } = known;
      const isSame =
        knownOwner === owner && knownFloor === floor && knownAsset === asset && knownCode === code;
      return isSame ? 'ok' : 'id-conflict';
    }
    if (signer !== undefined) return 'account-by-order';
    if (this.#world.accounts.size >= this.#limits.maxAccounts) return 'too-many-accounts';
    this.#world.accounts.set(id, {
      ...facts,
      frozen: false,
      debitsPending: 0n,
      debitsPosted: 0n,
      creditsPending: 0n,
      creditsPosted: 0n,
    });
    return 'ok';
  }

  /** All or nothing; the item that failed has its own answer, the others that of the chain. */
  #chain(chain: readonly Transfer[], signer: string | undefined): ResultName[] {
    const draft = over(this.#world);
    const results = chain.map((): ResultName => 'linked-event-failed');
    const last = chain.length - 1;
    const isOpen = ((chain[last]?.flags ?? 0) & TRANSFER_FLAGS.linked) !== 0;
    if (isOpen) results[last] = 'linked-event-chain-open';
    for (const [index, transfer] of chain.entries()) {
      if (isOpen && index === last) return results;
      const result = this.#one(transfer, signer, draft);
      if (result === 'ok') continue;
      results[index] = result;
      const isRemembered = RESULTS[result].final && this.#mayBeRemembered(signer);
      // A repeat of a remembered failure fails as it did.
      if (isRemembered && !draft.entries.get(transfer.id))
        this.#world.entries.set(transfer.id, { request: textOf(transfer, signer), answer: result });
      return results;
    }
    draft.accounts.commit();
    draft.pending.commit();
    draft.entries.commit();
    return chain.map(() => 'ok');
  }

  /** Whoever owns nothing leaves no trace. */
  #mayBeRemembered(signer: string | undefined): boolean {
    if (signer === undefined) return true;
    return signer !== NOBODY && this.accounts().some(({ owner }) => owner === signer);
  }

  #one(transfer: Transfer, signer: string | undefined, world: World): ResultName {
    const fault = shapeFault(transfer);
    if (fault) return fault;
    const isOwn = ((transfer.id >> 32n) & 0xffff_ffffn) === 0xffff_ffffn;
    if (isOwn && signer !== undefined) return 'not-authorized';
    const madeAtMs = Number(transfer.id >> 80n);
    if (madeAtMs < this.#sinceMs) return 'id-too-old';
    const request = textOf(transfer, signer);
    const used = world.entries.get(transfer.id);
    if (used) return used.request === request ? used.answer : 'id-conflict';
    if (madeAtMs > this.#timeMs + AHEAD_MS) return 'id-in-future';
    const middle = ((transfer.id >> 16n) & 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, '0');
    if (signer !== undefined && !signer.startsWith(middle)) return 'id-foreign';
    const isCompletion = (transfer.flags & (TRANSFER_FLAGS.post | TRANSFER_FLAGS.void)) !== 0;
    const result = isCompletion
      ? this.#complete(transfer, signer, world)
      : this.#move(transfer, signer, world);
    if (result === 'ok') world.entries.set(transfer.id, { request, answer: 'ok' });
    return result;
  }

  #move(transfer: Transfer, signer: string | undefined, world: World): ResultName {
    const { id, amount, timeoutSeconds, flags } = transfer;
    const debit = world.accounts.get(transfer.debitAccount);
    if (!debit) return 'debit-account-not-found';
    const credit = world.accounts.get(transfer.creditAccount);
    if (!credit) return 'credit-account-not-found';
    if (!isOwner(debit, signer)) return 'not-authorized';
    if (debit.asset !== credit.asset) return 'assets-differ';
    if (debit.frozen) return 'debit-account-frozen';
    if (credit.frozen) return 'credit-account-frozen';
    const left = debit.creditsPosted - debit.debitsPosted - debit.debitsPending - amount;
    if (debit.floor !== NO_FLOOR && left < debit.floor) return 'insufficient-funds';
    if (debit.debitsPending + debit.debitsPosted + amount >= TOO_LARGE) return 'balance-too-large';
    if (credit.creditsPending + credit.creditsPosted + amount >= TOO_LARGE) return 'balance-too-large';
    if ((flags & TRANSFER_FLAGS.pending) === 0) {
      add(world, debit.id, 'debitsPosted', amount);
      add(world, credit.id, 'creditsPosted', amount);
      return 'ok';
    }
    const most = this.#limits.maxPending;
    const forSigner = signer === undefined ? most : most - Math.floor(most / 4);
    if (world.pending.size >= forSigner) return 'too-many-pending';
    add(world, debit.id, 'debitsPending', amount);
    add(world, credit.id, 'creditsPending', amount);
    const expiresAtMs = timeoutSeconds === 0 ? Infinity : this.#timeMs + 1000 * timeoutSeconds;
    world.pending.set(id, { id, debit: debit.id, credit: credit.id, amount, expiresAtMs });
    return 'ok';
  }

  /** A post is for the payer to make, a void for the payee: each can only give away what is his. */
  #complete(transfer: Transfer, signer: string | undefined, world: World): ResultName {
    const pending = world.pending.get(transfer.pendingId);
    if (!pending) return this.#goneResult(transfer.pendingId, world);
    const isPost = (transfer.flags & TRANSFER_FLAGS.post) !== 0;
    const [debit, credit] = [world.accounts.get(pending.debit), world.accounts.get(pending.credit)];
    if (!isOwner(isPost ? debit : credit, signer)) return 'not-authorized';
    if (!isPost) {
      end(world, pending, 'voided');
      return 'ok';
    }
    if (transfer.amount > pending.amount) return 'pending-amount-exceeded';
    if (debit?.frozen) return 'debit-account-frozen';
    if (credit?.frozen) return 'credit-account-frozen';
    const amount = transfer.amount === 0n ? pending.amount : transfer.amount;
    end(world, pending, 'posted');
    add(world, pending.debit, 'debitsPosted', amount);
    add(world, pending.credit, 'creditsPosted', amount);
    return 'ok';
  }

  #goneResult(id: bigint, world: World): ResultName {
    const entry = Number(id >> 80n) < this.#sinceMs ? undefined : world.entries.get(id);
    if (entry?.ended === 'posted') return 'pending-already-posted';
    if (entry?.ended === 'voided') return 'pending-already-voided';
    if (entry?.ended === 'expired') return 'pending-expired';
    return 'pending-not-found';
  }
}

/** What is wrong with a transfer whatever the ledger holds, in this order. */
function shapeFault(transfer: Transfer): ResultName | undefined {
  const { id, debitAccount, creditAccount, pendingId, amount, timeoutSeconds, code, flags } = transfer;
  const kinds = [TRANSFER_FLAGS.pending, TRANSFER_FLAGS.post, TRANSFER_FLAGS.void];
  const kind = kinds.filter((flag) => (flags & flag) !== 0);
  const isCompletion = kind[0] !== undefined && kind[0] !== TRANSFER_FLAGS.pending;
  if (id === 0n) return 'id-zero';
  if (flags > KNOWN_FLAGS || kind.length > 1) return 'flags-invalid';
  if (amount >= TOO_LARGE) return 'amount-too-large';
  if (timeoutSeconds !== 0 && kind[0] !== TRANSFER_FLAGS.pending) return 'fields-not-empty';
  if (code === 0) return 'code-zero';
  if (isCompletion) {
    if (pendingId === 0n) return 'id-zero';
    if (creditAccount !== 0n || (kind[0] === TRANSFER_FLAGS.void && amount !== 0n)) return 'fields-not-empty';
    return undefined;
  }
  if (amount === 0n) return 'amount-zero';
  return debitAccount === creditAccount ? 'accounts-same' : undefined;
}

/** A chain is a run of linked items and the one after them; any other item is a chain of its own. */
function chainsOf(transfers: readonly Transfer[]): Transfer[][] {
  const chains: Transfer[][] = [];
  let isOpen = false;
  for (const transfer of transfers) {
    if (isOpen) chains.at(-1)?.push(transfer);
    else chains.push([transfer]);
    isOpen = (transfer.flags & TRANSFER_FLAGS.linked) !== 0;
  }
  return chains;
}

function over({ accounts, pending, entries }: World): World {
  return { accounts: new Draft(accounts), pending: new Draft(pending), entries: new Draft(entries) };
}

/** Absent, the signer is the ledger itself, to which nothing is closed. */
function isOwner(account: NaiveAccount | undefined, signer: string | undefined): boolean {
  return signer === undefined || (signer !== NOBODY && account?.owner === signer);
}

function end(world: World, pending: NaivePending, ended: 'posted' | 'voided' | 'expired'): void {
  const entry = world.entries.get(pending.id);
  if (entry) world.entries.set(pending.id, { ...entry, ended });
  world.pending.delete(pending.id);
  add(world, pending.debit, 'debitsPending', -pending.amount);
  add(world, pending.credit, 'creditsPending', -pending.amount);
}

function add(world: World, id: bigint, column: keyof Balance, amount: bigint): void {
  const account = world.accounts.get(id);
  if (account) world.accounts.set(id, { ...account, [column]: account[column] + amount });
}

function textOf(transfer: Transfer, signer = 'ledger'): string {
  return [...Object.values(transfer), signer].join(' ');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
