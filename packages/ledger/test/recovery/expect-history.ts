import { expect } from 'vitest';
import { MAX_PAGE } from '../../src/projection/history.ts';
import type { AccountMovement } from '../../src/projection/movement.ts';
import type { Projection } from '../../src/projection/projection.ts';
import { NaiveHistory } from '../projection/naive-history.ts';
import { journalOf, type Book } from './open-book.ts';

/**
 * The history of every account is the plainest list that can be made from the journal, and its last sums are
 * those of the account.
 */
export async function expectHistory({ store, projection, ledger }: Book): Promise<NaiveHistory> {
  await ledger.settled();
  await projection.settled();
  const naive = new NaiveHistory();
  naive.follow(await journalOf(store));
  for (const { id, ...account } of naive.machine.accounts()) {
    const movements = await historyOf(projection, id);
    expect(movements).toEqual((naive.byAccount.get(id) ?? []).toReversed());
    expect(await ledger.account(id)).toEqual({ id, ...account });
    const [newest] = movements;
    if (newest) expect(account).toMatchObject(newest.after);
  }
  return naive;
}

/** The newest first. */
async function historyOf({ history }: Projection, id: bigint): Promise<readonly AccountMovement[]> {
  const movements: AccountMovement[] = [];
  let page = await history.account(id, { limit: MAX_PAGE });
  movements.push(...page.movements);
  while (page.next !== undefined) {
    page = await history.account(id, { limit: MAX_PAGE, after: page.next });
    movements.push(...page.movements);
  }
  return movements;
}
