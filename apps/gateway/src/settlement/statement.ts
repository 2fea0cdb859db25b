import { accountId, exportRows, type AccountMovement, type Page } from '@clawbernetes/ledger';
import type { CommandOutput, CommandRequest } from '@clawbernetes/protocol';
import { AccountNames, KIND_OF } from './account-names.ts';
import type { Settlement } from './settlement.ts';

/** A page of what was posted to an account of the owner: opening and all movements make the closing. */
export async function statement(
  { ledger, history, settings: { asset } }: Settlement,
  request: CommandRequest<'molt.statement'>,
): Promise<CommandOutput<'molt.statement'>> {
  const { owner, account, fromMs = 0, toMs = Number.MAX_SAFE_INTEGER, limit, cursor } = request;
  await ledger.settled();
  const id = accountId({ kind: KIND_OF[account], owner }, asset);
  const after = cursor === undefined ? {} : { after: Number(cursor) };
  const page = await history.statement(id, { fromMs, toMs, limit, ...after });
  const names = new AccountNames(owner, ledger, asset);
  return {
    owner,
    account,
    opening: String(page.opening.creditsPosted - page.opening.debitsPosted),
    closing: String(page.closing.creditsPosted - page.closing.debitsPosted),
    movements: rowsOf(id, page, names),
    ...(page.next !== undefined && { next: String(page.next) }),
  };
}

function rowsOf(
  account: bigint,
  { movements }: Page<AccountMovement>,
  names: AccountNames,
): CommandOutput<'molt.statement'>['movements'] {
  for (const { reference } of movements) names.learn(reference);
  return movements.flatMap((movement) =>
    exportRows(account, [movement], (other) => names.of(other)).map((row) => ({
      ...row,
      number: movement.number,
      amount: String(row.amount),
      fee: String(row.fee),
      balanceAfter: String(row.balanceAfter),
    })),
  );
}
