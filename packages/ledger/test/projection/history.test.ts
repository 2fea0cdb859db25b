// Shows on a simulated disk that the history of a ledger which crashes at any moment is the plainest list
// that can be made from its journal: nothing missing, nothing twice, whether in memory or in segments.
import { present, seededRandom } from '@clawbernetes/kernel';
import { describe, expect, it } from 'vitest';
import type { AccountMovement, Movement } from '../../src/projection/movement.ts';
import type { Page, PageOptions } from '../../src/projection/history.ts';
import { NaiveHistory } from './naive-history.ts';
import { ProjectedLedger, START_MS } from './projected-ledger.ts';

const DAY_MS = 86_400_000;

/** All pages, one after the other. */
async function all<Item>(
  read: (options: PageOptions) => Promise<Page<Item>>,
  options: PageOptions,
): Promise<Item[]> {
  const movements: Item[] = [];
  for (let after: number | undefined, pages = 0; pages < 10_000; pages += 1) {
    const page = await read({ ...options, ...(after !== undefined && { after }) });
    movements.push(...page.movements);
    if (page.next === undefined) return movements;
    after = page.next;
  }
  throw new Error('pages without end');
}

function within<Item extends Movement>(list: readonly Item[] = [], fromMs: number, toMs: number): Item[] {
  return list.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs).toReversed();
}

async function compare(run: ProjectedLedger, naive: NaiveHistory, seed: number): Promise<void> {
  await run.settle();
  naive.follow(await run.frames());
  const { history } = run.projection;
  const random = seededRandom(seed);
  const someMs = (): number =>
    START_MS + Math.floor(random.fraction() * (run.clock.nowMs() - START_MS + 2000)) - 1000;
  for (const { id, debitsPending, debitsPosted, creditsPending, creditsPosted } of naive.machine.accounts()) {
    const list = naive.byAccount.get(id) ?? [];
    const limit = 1 + Math.floor(random.fraction() * 40);
    expect(await all((options) => history.account(id, options), { limit })).toEqual(list.toReversed());
    const [fromMs, toMs] = [someMs(), someMs()].toSorted((a, b) => a - b) as [number, number];
    const ranged = await all((options) => history.account(id, options), { limit, fromMs, toMs });
    expect(ranged).toEqual(within(list, fromMs, toMs));
    const statement = await history.statement(id, { fromMs, toMs, limit });
    expect(statement.opening).toEqual(naive.balance(id, fromMs));
    expect(statement.closing).toEqual(naive.balance(id, toMs));
    expect(statement.movements).toEqual(within(list, fromMs, toMs).slice(0, limit));
    // The machine was told of nothing by the history, and yet they agree.
    const now = { debitsPending, debitsPosted, creditsPending, creditsPosted };
    expect((await history.statement(id, { fromMs: 0, toMs: 1e15 })).closing).toEqual(now);
    expect(await run.account(id)).toMatchObject(now);
    await compareDays(run, naive, id);
  }
  for (let reference = 1n; reference < 8n; reference += 1n) {
    const list = (naive.byReference.get(reference) ?? []).map(({ after: _, ...movement }) => movement);
    const limit = 1 + Math.floor(random.fraction() * 40);
    const [fromMs, toMs] = [someMs(), someMs()].toSorted((a, b) => a - b) as [number, number];
    expect(await all((options) => history.reference(reference, options), { limit })).toEqual(
      list.toReversed(),
    );
    const ranged = await all((options) => history.reference(reference, options), { limit, fromMs, toMs });
    expect(ranged).toEqual(within(list, fromMs, toMs));
  }
}

async function compareDays(run: ProjectedLedger, naive: NaiveHistory, id: bigint): Promise<void> {
  const days = await run.projection.history.days(id, { fromMs: START_MS, toMs: run.clock.nowMs() });
  let openingMs = START_MS;
  for (const day of days) {
    expect(day.startMs).toBe(openingMs);
    openingMs += DAY_MS;
    const [opening, closing] = [naive.balance(id, day.startMs), naive.balance(id, openingMs)];
    expect(day.closing).toEqual(closing);
    expect(day.debits).toBe(closing.debitsPosted - opening.debitsPosted);
    expect(day.credits).toBe(closing.creditsPosted - opening.creditsPosted);
  }
  expect(openingMs).toBeGreaterThanOrEqual(run.clock.nowMs());
}

describe('the history of a ledger that crashes', () => {
  const seen = { movements: 0, segments: 0, withHeads: 0, expired: 0, checkpoints: 0 };

  it.each(Array.from({ length: 24 }, (_, seed) => seed))('seed %i', async (seed) => {
    // So small that there are hundreds, or larger than all that is booked.
    const run = new ProjectedLedger(seed, [1, 20, 150, 5000][seed % 4] ?? 1);
    const naive = new NaiveHistory();
    const random = seededRandom(seed + 1000);
    await run.open();
    for (let round = 0; round < 8; round += 1) {
      await run.work(1 + Math.floor(random.fraction() * 60));
      if (random.fraction() < 0.3) await compare(run, naive, seed);
      await run.crash();
      if (random.fraction() < 0.3) await compare(run, naive, seed);
    }
    await compare(run, naive, seed);
    const segments = await run.segments();
    seen.movements += naive.count;
    seen.segments += segments.length;
    seen.withHeads += segments.filter((row) => row['heads'] === 1).length;
    seen.expired += [...naive.byAccount.values()].flat().filter(({ effect }) => effect === 'expired').length;
    seen.checkpoints += (await run.checkpoints()).length;
    await run.close();
    expect(naive.count).toBeGreaterThan(0);
  });

  it('has met all that it was to meet', () => {
    expect(seen.movements).toBeGreaterThan(5000);
    expect(seen.segments).toBeGreaterThan(500);
    expect(seen.withHeads).toBeGreaterThan(20);
    expect(seen.expired).toBeGreaterThan(100);
    // A replay begins with one, and so after segments that it must not make again.
    expect(seen.checkpoints).toBeGreaterThan(24);
  });
});

describe('a history that comes later than its ledger', () => {
  it('has everything from the beginning, past all checkpoints', async () => {
    const run = new ProjectedLedger(11, 30);
    await run.open(false);
    await run.work(200);
    await run.settle();
    expect(await run.checkpoints()).not.toEqual([]);
    await run.crash();
    await compare(run, new NaiveHistory(), 11);
    await run.work(50);
    await run.crash();
    await compare(run, new NaiveHistory(), 12);
    await run.close();
  });
});

describe('pages', () => {
  it('do not change while more is booked', async () => {
    const run = new ProjectedLedger(5, 40);
    const naive = new NaiveHistory();
    await run.open();
    await run.work(150);
    await run.settle();
    naive.follow(await run.frames());
    const before = naive.count;
    const [id, list] = present(
      [...naive.byAccount].toSorted(([, left], [, right]) => right.length - left.length)[0],
      'an account',
    );
    const read: AccountMovement[] = [];
    let page = await run.projection.history.account(id, { limit: 7 });
    for (;;) {
      read.push(...page.movements);
      if (page.next === undefined) break;
      await run.work(5);
      await run.settle();
      page = await run.projection.history.account(id, { limit: 7, after: page.next });
    }
    expect(read).toEqual(list.toReversed());
    naive.follow(await run.frames());
    expect(naive.count).toBeGreaterThan(before);
    await run.close();
  });
});
