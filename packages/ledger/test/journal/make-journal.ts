import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import {
  auditLedger,
  encodeAccounts,
  encodeFreezes,
  encodeOrder,
  Ledger,
  LEDGER_SCHEMA,
  NO_FLOOR,
  signerId,
  signRequest,
  TRANSFER_FLAGS,
  TransferBatch,
  type Operation,
  type Transfer,
} from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import type { OrderType } from '@clawbernetes/orders';
import { MemoryDisk, openMemoryStore, type Row } from '@clawbernetes/storage';
import {
  address,
  keyOf,
  LEDGER,
  molt,
  OrderWorld,
  SETTINGS,
  START_MS,
  type Name,
} from '../orders/order-world.ts';

/** A journal as text: base64 bodies and hashes, and what an audit says of it. */
export interface WrittenJournal {
  readonly ledgerId: string;
  readonly frames: readonly { readonly timeMs: number; readonly hash: string; readonly body: string }[];
  readonly stateHash: string;
}

const { linked, pending, post, void: giveUp } = TRANSFER_FLAGS;
const BUYER = keyOf('buyer');

/** One frame of each kind of operation, and of each way in which a transfer ends. */
export async function makeJournal(): Promise<WrittenJournal> {
  const clock = new VirtualClock({ startMs: START_MS });
  const random = seededRandom(5);
  const disk = new MemoryDisk({ clock, random }, { minMs: 1, maxMs: 1 });
  const store = await openMemoryStore({ clock }, disk, { schema: LEDGER_SCHEMA });
  const deps = { clock, random, logger: silentLogger, threads: new SameThread(), store };
  const ledger = await Ledger.open(deps, { ledgerId: LEDGER });
  const say = async (operation: Operation): Promise<void> => {
    const answer = ledger.submit(operation);
    await clock.advance(1000);
    await answer;
  };
  const world = new OrderWorld();
  for (const operation of operations()) await say(operation);
  for (const [type, body, ...signers] of orders(world)) {
    world.timeMs = clock.nowMs();
    const signatures = signers.map((name) => world.sign(name, type, body));
    await say({ kind: 'orders', items: encodeOrder({ type, body, signatures }) });
  }
  await clock.advance(3 * 86_400_000);
  const { stateHash } = await auditLedger(store, { ledgerId: LEDGER });
  const rows: Row[] = await store.rows.selectFrom('ledger_frame').selectAll().orderBy('sequence').execute();
  const frames = rows.map((row) => {
    const [hash, body] = [row['hash'] as Uint8Array, row['body'] as Uint8Array].map((bytes) =>
      Buffer.from(bytes).toString('base64'),
    );
    return { timeMs: Number(row['time_ms']), hash: hash ?? '', body: body ?? '' };
  });
  return { ledgerId: LEDGER, frames, stateHash };
}

function operations(): readonly Operation[] {
  const issuer = { id: 1n, owner: new Uint8Array(32), floor: NO_FLOOR, asset: 2, code: 1, flags: 0 };
  const accounts = [issuer, { ...issuer, id: 2n, owner: BUYER.publicKey, floor: 0n }, { ...issuer, id: 3n }];
  const own = { id: signerId(START_MS, BUYER.publicKey, 9), debitAccount: 2n, creditAccount: 3n, amount: 4n };
  const { items } = transfers(own, { ...own, id: id(9) });
  const signed = { ledgerId: LEDGER, expiresAtMs: START_MS + 60_000 };
  const opened = encodeAccounts([{ ...issuer, id: 4n, owner: BUYER.publicKey, floor: 0n }]);
  return [
    { kind: 'accounts', items: encodeAccounts(accounts) },
    transfers(
      { id: id(1), amount: 100n },
      { id: id(2), amount: 7n, debitAccount: 3n, creditAccount: 2n, flags: linked },
      { id: id(3), amount: 1n },
    ),
    transfers(
      { id: id(4), amount: 30n, flags: pending, timeoutSeconds: 60 },
      { id: id(5), amount: 5n, flags: pending },
    ),
    transfers(
      { id: id(6), pendingId: id(4), amount: 10n, flags: post },
      { id: id(7), pendingId: id(5), flags: giveUp },
    ),
    transfers({ id: id(8), amount: 9n, flags: pending, timeoutSeconds: 1 }),
    signRequest(BUYER, { ...signed, kind: 'transfers', nonce: 1, items }),
    signRequest(BUYER, { ...signed, kind: 'accounts', nonce: 2, items: opened }),
    { kind: 'freezes', items: encodeFreezes([{ account: 2n, frozen: true }]) },
    transfers({ id: id(10), amount: 1n }),
    { kind: 'freezes', items: encodeFreezes([{ account: 2n, frozen: false }]) },
    { kind: 'forget', items: new Uint8Array(Float64Array.of(START_MS - 1).buffer) },
  ];
}

/** From account 1 to account 2 unless said otherwise. */
function transfers(...items: readonly (Partial<Transfer> & Pick<Transfer, 'id'>)[]): Operation {
  const batch = new TransferBatch(items.length);
  for (const item of items) {
    const between = item.pendingId === undefined ? { debitAccount: 1n, creditAccount: 2n } : {};
    batch.add({ ...between, code: 1, ...item });
  }
  return { kind: 'transfers', items: batch.bytes };
}

function id(number: number): bigint {
  return (BigInt(START_MS) << 80n) | BigInt(number);
}

/** Of which each is reached. */
const NARROW = { minDisputeDeposit: molt(1), minEscrow: molt(1), maxDailyOpenings: 1, maxOpen: 3 };

type Said = readonly [OrderType, Parameters<OrderWorld['sign']>[2], ...Name[]];

function orders(world: OrderWorld): readonly Said[] {
  const terms = world.terms({ deadlineMs: START_MS + 2 * 86_400_000 });
  const { escrow } = terms;
  const ids = [1, 2, 3, 4, 5].map((ms) => world.id(START_MS + ms));
  const deposit = { deposit: world.id(), owner: address('buyer'), amount: '6', reference: 'tx-1' };
  return [
    ['ledger-open', { ...SETTINGS, ...NARROW }],
    ['account-open', {}, 'one'],
    ['account-open', {}, 'two'],
    ['faucet', { amount: molt(1000) }, 'buyer'],
    ['faucet', { amount: molt(200) }, 'provider'],
    ['stake-deposit', { amount: molt(100) }, 'provider'],
    ['escrow-create', terms, 'buyer'],
    ['escrow-fund', { escrow }, 'buyer'],
    ['escrow-fund', { escrow }, 'buyer'],
    ['escrow-release', { escrow, amount: '3' }, 'buyer'],
    ['escrow-release', { escrow, amount: '4' }, 'buyer'],
    ['escrow-release', { escrow, amount: molt(40) }, 'buyer'],
    ['escrow-create', world.terms({ escrow: world.id(START_MS, address('other')) }), 'buyer'],
    ['escrow-dispute', { escrow, amount: molt(2), reason: 'Late.' }, 'buyer'],
    ...ids.flatMap((made) => round(world, made)),
    ...ids.map((made): Said => ['escrow-create', world.terms({ escrow: made }), 'buyer']),
    ['deposit', deposit, 'operator'],
    ['deposit', { ...deposit, deposit: world.id() }, 'operator'],
    ['withdraw', { withdrawal: world.id(), amount: '5', to: address('other'), speed: 'normal' }, 'buyer'],
  ];
}

/** An escrow of which next to nothing is paid and the rest comes back. */
function round(world: OrderWorld, escrow: string): readonly Said[] {
  const terms = world.terms({ escrow });
  return [
    ['escrow-create', terms, 'buyer'],
    ['escrow-fund', { escrow }, 'buyer'],
    ['escrow-release', { escrow, amount: '1' }, 'buyer'],
    ['escrow-refund', { escrow }, 'provider'],
  ];
}
