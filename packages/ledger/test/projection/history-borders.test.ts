// Shows that pages, statements and days are right at every border: of segments and their pages, of restarts
// among postings, of the ms in which much happens at once, and of days; with sums beyond 32 bits.
import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { encodeAccounts, LedgerMachine, NO_FLOOR, TransferBatch } from '@clawbernetes/ledger';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { describe, expect, it } from 'vitest';
import { applyFrame } from '../../src/journal/apply-frame.ts';
import { encodeFrame, frameBytes, type Operation } from '../../src/journal/frame.ts';
import { NEWEST_RULES } from '../../src/machine/rules.ts';
import type { AccountMovement } from '../../src/projection/movement.ts';
import { HISTORY_SCHEMA } from '../../src/projection/projection-schema.ts';
import { Projection } from '../../src/projection/projection.ts';
import { ProjectorInline } from '../../src/projection/projector-thread.ts';
import { NaiveHistory } from './naive-history.ts';

const DAY_MS = 86_400_000;
/** One ms before midnight, UTC. */
const START_MS = Date.UTC(2026, 1, 28) - 1;
/** More than a word holds with the second of them. */
const AMOUNT = 3_000_000_001n;
/** Movements of each frame: pages of rows have 512, restarts are 128 postings apart. */
const FRAMES = [1, 127, 1, 63, 64, 700, 1, 1, 128, 255, 1, 512, 3];
/**
 * Time from a frame to the next: much happens in one ms, midnight comes between the first two, one day has
 * nothing but its first ms, and more than 2^32 ms pass before the last.
 */
const GAPS_MS = [1, 0, 0, 5, 1, 0, DAY_MS - 6, 1, 0, 2 * DAY_MS - 1, DAY_MS, 50 * DAY_MS, 1];

async function history(segmentMovements: number) {
  const clock = new VirtualClock({ startMs: START_MS });
  const disk = new MemoryDisk({ clock, random: seededRandom(1) }, { minMs: 0, maxMs: 0 });
  const store = await openMemoryStore({ clock }, disk, { schema: HISTORY_SCHEMA });
  const link = new ProjectorInline();
  const projection = await Projection.open({ store, logger: silentLogger, link }, { segmentMovements });
  const machine = new LedgerMachine({ seed: 1 });
  const naive = new NaiveHistory();
  projection.follow(machine);
  let [sequence, timeMs, ids] = [0, START_MS, 0n];
  const book = async (operation: Operation): Promise<void> => {
    sequence += 1;
    const frame = { timeMs, rules: NEWEST_RULES, operations: [operation] };
    const body = encodeFrame(frame, new Uint8Array(frameBytes(frame.operations)));
    for (const codes of applyFrame(machine, frame).results) expect(new Set(codes)).toEqual(new Set([0]));
    projection.take(sequence, timeMs);
    projection.durable(sequence);
    bodies.push(body);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(20);
  };
  const bodies: Uint8Array[] = [];
  const facts = { owner: new Uint8Array(32), floor: NO_FLOOR, asset: 1, code: 1, flags: 0 };
  await book({ kind: 'accounts', items: encodeAccounts([1n, 2n, 3n].map((id) => ({ ...facts, id }))) });
  for (const [index, count] of FRAMES.entries()) {
    const batch = new TransferBatch(count);
    for (let item = 0; item < count; item += 1) {
      ids += 1n;
      // The last account has few, so that its postings follow the others'.
      const creditAccount = item % 100 === 99 ? 3n : 2n;
      const id = (BigInt(timeMs) << 80n) | ids;
      batch.add({ id, debitAccount: 1n, creditAccount, amount: AMOUNT, code: 300 + index });
    }
    await book({ kind: 'transfers', items: batch.bytes });
    timeMs += GAPS_MS[index] ?? 0;
  }
  await projection.settled();
  naive.follow(bodies);
  return { history: projection.history, naive };
}

function within(list: readonly AccountMovement[], fromMs: number, toMs: number): AccountMovement[] {
  return list.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs).toReversed();
}

describe.each([1, 64, 128, 256, 700, 100_000])('in segments of %i movements', (segmentMovements) => {
  it('everything is there once, from every time to every time', async () => {
    const { history: asked, naive } = await history(segmentMovements);
    const times = [...new Set((naive.byAccount.get(1n) ?? []).map(({ timeMs }) => timeMs))];
    const borders = [...new Set(times.flatMap((timeMs) => [timeMs, timeMs + 1]))];
    for (const id of [1n, 2n, 3n]) {
      const list = naive.byAccount.get(id) ?? [];
      expect((await pages(asked, id, 500)).map(({ number }) => number)).toEqual(
        list.map(({ number }) => number).toReversed(),
      );
      for (const [index, fromMs] of borders.entries()) {
        const toMs = borders[Math.min(borders.length - 1, index + 1 + (index % 3))] ?? fromMs;
        const statement = await asked.statement(id, { fromMs, toMs, limit: 500 });
        const expected = within(list, fromMs, toMs);
        expect(statement.movements).toEqual(expected.slice(0, 500));
        expect(statement.opening).toEqual(naive.balance(id, fromMs));
        expect(statement.closing).toEqual(naive.balance(id, toMs));
      }
      const days = await asked.days(id, { fromMs: START_MS, toMs: (times.at(-1) ?? 0) + 1 });
      for (const { startMs, debits, credits, closing } of days) {
        const [before, after] = [naive.balance(id, startMs), naive.balance(id, startMs + DAY_MS)];
        expect(closing).toEqual(after);
        expect(debits).toBe(after.debitsPosted - before.debitsPosted);
        expect(credits).toBe(after.creditsPosted - before.creditsPosted);
      }
      // The first ms belongs to one day, and the next to another.
      expect(days[0]?.startMs).toBe(START_MS + 1 - DAY_MS);
    }
  });

  it('pages of any length begin where the one before ended', async () => {
    const { history: asked, naive } = await history(segmentMovements);
    for (const limit of [127, 128, 129, 500]) {
      const list = naive.byAccount.get(1n) ?? [];
      expect(await pages(asked, 1n, limit)).toEqual(list.toReversed());
    }
  });
});

async function pages(asked: Projection['history'], id: bigint, limit: number): Promise<AccountMovement[]> {
  const movements: AccountMovement[] = [];
  for (let after = Infinity; ;) {
    const page = await asked.account(id, { after, limit });
    movements.push(...page.movements);
    if (page.next === undefined) return movements;
    after = page.next;
  }
}
