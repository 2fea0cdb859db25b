import { seededRandom } from '@clawbernetes/kernel';
import { expect } from 'vitest';
import type { Movement } from '../../src/projection/movement.ts';
import type { Page, PageOptions } from '../../src/projection/history.ts';
import type { NaiveHistory } from './naive-history.ts';
import { START_MS, type ProjectedLedger } from './projected-ledger.ts';

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

/** The history is the plainest list that can be made from the journal: pages, statements and days. */
export async function compareHistory(run: ProjectedLedger, naive: NaiveHistory, seed: number): Promise<void> {
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
