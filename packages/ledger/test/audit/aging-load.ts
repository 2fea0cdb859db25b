import { present } from '@clawbernetes/kernel';
import {
  encodeAccounts,
  NO_FLOOR,
  resultName,
  TRANSFER_FLAGS,
  TransferBatch,
  type Ledger,
} from '@clawbernetes/ledger';

type Draft = Parameters<TransferBatch['add']>[0];

/** Between the ids of two rounds: a ledger forgets none that is young. */
const ROUND_MS = 10_000;
const NEW_PER_ROUND = 12;
const PENDING_PER_ROUND = 4;
/** Rounds after which something is asked for again; the ids of most of them are set aside by then. */
const AGES: readonly number[] = [1, 3, 15, 40, 90];
const { pending, post } = TRANSFER_FLAGS;
const ACCOUNTS = [1n, 2n].map((id) => {
  return { id, owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
});

/**
 * Books so many rounds: new transfers, and again what was asked for long ago, as it was, with another amount,
 * and as the post of what was posted. @returns the names of all answers, each once.
 */
export async function bookAging(ledger: Ledger, rounds: number): Promise<ReadonlySet<string>> {
  const startMs = Date.now() - rounds * ROUND_MS;
  const answers = new Set<string>();
  await ledger.submit({ kind: 'accounts', items: encodeAccounts(ACCOUNTS) });
  for (let round = 0; round < rounds; round += 1) {
    const transfers = [...fresh(startMs, round), ...AGES.flatMap((_, nth) => again(startMs, round, nth))];
    const batch = new TransferBatch(transfers.length);
    for (const transfer of transfers) batch.add(transfer);
    const codes = await ledger.submit({ kind: 'transfers', items: batch.bytes });
    for (const code of codes) answers.add(resultName(code) ?? String(code));
  }
  return answers;
}

function fresh(startMs: number, round: number): readonly Draft[] {
  return Array.from({ length: NEW_PER_ROUND }, (_, item) => {
    const transfer = moved(startMs, round, item, 1n);
    return item < PENDING_PER_ROUND ? { ...transfer, flags: pending } : transfer;
  });
}

/**
 * One as it was, one that is not, and two posts of a pending one: under an id of then, and under a new one.
 */
function again(startMs: number, round: number, nth: number): readonly Draft[] {
  const then = round - present(AGES[nth], 'an age');
  if (then < 0) return [];
  const pendingId = idOf(startMs, then, nth % PENDING_PER_ROUND);
  return [
    moved(startMs, then, NEW_PER_ROUND - 1, 1n),
    moved(startMs, then, NEW_PER_ROUND - 2, 2n),
    { id: idOf(startMs, then, NEW_PER_ROUND + nth), pendingId, code: 1, flags: post },
    { id: idOf(startMs, round, NEW_PER_ROUND + AGES.length + nth), pendingId, code: 1, flags: post },
  ];
}

function moved(startMs: number, round: number, item: number, amount: bigint): Draft {
  return { id: idOf(startMs, round, item), debitAccount: 1n, creditAccount: 2n, amount, code: 1 };
}

function idOf(startMs: number, round: number, item: number): bigint {
  return (BigInt(startMs + round * ROUND_MS) << 80n) | BigInt(item + 1);
}
