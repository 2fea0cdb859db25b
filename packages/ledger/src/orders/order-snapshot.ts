import { assert, canonicalJson, type Json } from '@clawbernetes/kernel';
import type { SeenNonces } from './nonce-memory.ts';
import type { OrderState } from './order-state.ts';
import { claimKey } from './earnings.ts';
import type {
  Agreement,
  Claim,
  Deposit,
  Escrow,
  FaucetUse,
  Forgotten,
  Openings,
  Settings,
  Stake,
  Withdrawal,
} from './records.ts';

const NEWLINE = 10;
/** Of one piece, about. */
const PIECE_CHARACTERS = 64 * 1024;

/**
 * The state at one time. Records are replaced, never changed, so it is taken quickly and written later.
 *
 * A line of canonical JSON per record, `[kind, record]`, an amount as `{"$": "…"}`. Their order follows from
 * what has happened, so that equal histories have equal bytes.
 */
export class OrderSnapshot {
  readonly #first: string;
  readonly #records: readonly (readonly [RecordKind, readonly unknown[]])[];

  constructor(state: OrderState, timeMs: number) {
    this.#first = canonicalJson({ version: 1, timeMs, events: state.events });
    this.#records = [
      ['settings', state.settings ? [state.settings] : []],
      ['openings', state.openings ? [state.openings] : []],
      ['forgotten', state.forgotten ? [state.forgotten] : []],
      ['escrow', [...state.escrows.values()]],
      ['claim', [...state.claims.values()]],
      ['stake', [...state.stakes.values()]],
      ['agreement', [...state.agreements.values()]],
      ['withdrawal', [...state.withdrawals.values()]],
      ['deposit', [...state.deposits.values()]],
      ['faucet', [...state.faucet.values()]],
      ['nonces', [...state.nonces.entries()]],
      ['due', state.due.entries()],
    ];
  }

  *pieces(): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
    const encoder = new TextEncoder();
    let piece = `${this.#first}\n`;
    for (const [kind, records] of this.#records) {
      for (const record of records) {
        piece += `${canonicalJson([kind, toJson(record)])}\n`;
        if (piece.length < PIECE_CHARACTERS) continue;
        yield encoder.encode(piece);
        piece = '';
      }
    }
    yield encoder.encode(piece);
  }

  /** All pieces. */
  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Buffer.concat([...this.pieces()]));
  }
}

/** Fills a new state. @returns its time. */
export function restoreState(state: OrderState, bytes: Uint8Array): number {
  const lines = linesOf(bytes);
  const { version, timeMs, events } = JSON.parse(lines.next().value ?? '{}') as Record<
    string,
    number | undefined
  >;
  assert(version === 1 && timeMs !== undefined && events !== undefined, 'the snapshot is of this version');
  state.events = events;
  for (const line of lines) {
    // What this machine has written: the record of each kind is as it was.
    const [kind, record] = JSON.parse(line, revive) as [RecordKind, never];
    RESTORE[kind](state, record);
  }
  return timeMs;
}

/** One by one: together they may be more than a string can hold. */
function* linesOf(bytes: Uint8Array): Generator<string, undefined, undefined> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < buffer.length;) {
    const end = buffer.indexOf(NEWLINE, at);
    assert(end >= 0, 'a snapshot ends with its last line');
    yield buffer.toString('utf8', at, end);
    at = end + 1;
  }
  return undefined;
}

type RecordKind = keyof typeof RESTORE;

const RESTORE = {
  settings: (state: OrderState, settings: Settings) => {
    state.settings = settings;
  },
  openings: (state: OrderState, openings: Openings) => {
    state.openings = openings;
  },
  forgotten: (state: OrderState, forgotten: Forgotten) => {
    state.forgotten = forgotten;
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
    state.keepAgreement(agreement);
  },
  withdrawal: (state: OrderState, withdrawal: Withdrawal) => {
    state.keepWithdrawal(withdrawal);
  },
  deposit: (state: OrderState, deposit: Deposit) => {
    state.keepDeposit(deposit);
  },
  faucet: (state: OrderState, use: FaucetUse) => {
    state.faucet.set(use.owner, use);
  },
  nonces: (state: OrderState, seen: SeenNonces) => {
    state.nonces.restore(seen);
  },
  due: (state: OrderState, [key, atMs]: readonly [string, number]) => {
    state.scheduleKey(key, atMs);
  },
};

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
