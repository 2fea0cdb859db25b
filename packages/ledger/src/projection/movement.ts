import type { Balance } from '../machine/account-table.ts';
import { EFFECT } from '../machine/transfer-outcome.ts';

/** What a movement did to balances. */
export type MovementEffect = Exclude<keyof typeof EFFECT, 'none'>;

/** One change of the balances of two accounts, as the history keeps it. Amounts in base units. */
export interface Movement {
  /** Counts all movements of the ledger from 0: the place in its history, and the cursor of pages. */
  readonly number: number;
  /** The frame of the journal that it belongs to. */
  readonly sequence: number;
  /** Its place among the transfers of that frame, or among what expired with it. */
  readonly item: number;
  readonly timeMs: number;
  readonly effect: MovementEffect;
  readonly debitAccount: bigint;
  readonly creditAccount: bigint;
  /** What was moved, reserved or posted; 0n of what was voided or expired. */
  readonly amount: bigint;
  /** What was reserved and is no more; of a post it may be more than was posted. */
  readonly released: bigint;
  /** What it is for, as its transfer says; 0 for an expiry. */
  readonly code: number;
  /** Such as a job; 0n for none and for an expiry. */
  readonly reference: bigint;
}

/** A movement in the history of one account. */
export interface AccountMovement extends Movement {
  /** Sums of the account right after it. */
  readonly after: Balance;
}

/** A movement as threads hand it over: accounts by their numbers. */
export interface Line extends Omit<Movement, 'debitAccount' | 'creditAccount'> {
  readonly debit: number;
  readonly credit: number;
}

export interface AccountLine extends Line {
  readonly after: Balance;
}

/** Which movements are meant: all conditions hold. */
export interface LineRange {
  /** Movements before this number. */
  readonly before: number;
  /** From this time on, ms; and before that time. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Most that are answered: the newest of them. */
  readonly limit: number;
}

const NAMES = new Map<number, MovementEffect>(
  (Object.keys(EFFECT) as (keyof typeof EFFECT)[])
    .filter((name) => name !== 'none')
    .map((name) => [EFFECT[name], name]),
);

/** @throws RangeError for what is no effect. */
export function effectName(effect: number): MovementEffect {
  const name = NAMES.get(effect);
  if (name === undefined) throw new RangeError(`${effect} is no effect of a movement.`);
  return name;
}
