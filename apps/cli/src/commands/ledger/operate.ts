import { CodedError } from '@clawbernetes/kernel';
import type { CommandInput, CommandOutput } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import { newOrderId } from '@clawbernetes/sdk/signed-order';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { renderTable } from '../../output/table.ts';
import { askYes } from '../molt/ask.ts';
import { printEscrow } from '../molt/escrow-view.ts';
import { moltText, readMolt } from '../molt/molt-amount.ts';
import { readAddress } from '../molt/wallet-address.ts';

type Operation = CommandInput<'ledger.operate'>;

interface OperatorOptions {
  readonly yes?: boolean;
}

const PAGE = 1000;

/** What has to be sent, or to be confirmed. */
export async function listWithdrawals({ context }: Call): Promise<void> {
  const client = await context.client();
  const withdrawals = await allWithdrawals(client);
  await context.print({ withdrawals }, () => {
    if (withdrawals.length === 0) return 'No withdrawal is open.';
    return renderTable(
      ['WITHDRAWAL', 'STATE', 'TO SEND', 'TO', 'DUE'],
      withdrawals.map(({ withdrawal, state, amount, fee, to, sendAtMs }) => [
        withdrawal,
        state,
        moltText(BigInt(amount) - BigInt(fee)),
        to,
        new Date(sendAtMs).toISOString(),
      ]),
      { columns: context.columns, dispensable: ['DUE'] },
    );
  });
}

export async function reportWithdrawal({ context, operands, options }: Call): Promise<void> {
  const [withdrawal = '', status = ''] = operands;
  const { reference, ...given } = options as OperatorOptions & { readonly reference?: string };
  const client = await context.client();
  const body = { withdrawal, status, ...(reference !== undefined && { reference }) };
  const question = `Report withdrawal ${withdrawal} as ${status}? The ledger believes its operator.`;
  await operate(context, client, {
    question,
    options: given,
    operation: { type: 'withdrawal-report', body },
  });
  const view = await client.command('molt.withdrawal', { withdrawal });
  await context.print(view, () => `Withdrawal ${withdrawal} is ${view.state}.`);
}

export async function takeDeposit({ context, operands, options }: Call): Promise<void> {
  const [address = '', text = ''] = operands;
  const given = options as OperatorOptions & { readonly reference: string; readonly id?: string };
  const [owner, amount] = [readAddress(address), readMolt(text)];
  const client = await context.client();
  const { timeMs } = await client.command('ledger.info', {});
  const deposit = given.id ?? newOrderId(timeMs, context.random, owner);
  const body = { deposit, owner, amount: String(amount), reference: given.reference };
  const question = `Book ${moltText(amount)} that came in for ${owner}? They are made out of nothing if they did not.`;
  await operate(context, client, { question, options: given, operation: { type: 'deposit', body } });
  await context.print({ deposit, owner, amount: String(amount) }, () => `Deposit ${deposit} is booked.`);
}

interface ResolveOptions extends OperatorOptions {
  readonly toBuyer: bigint;
  readonly toProvider: bigint;
}

export async function resolveAsCouncil({ context, operands: [escrow = ''], options }: Call): Promise<void> {
  const { toBuyer, toProvider, ...given } = options as ResolveOptions;
  const client = await context.client();
  const body = { escrow, toBuyer: String(toBuyer), toProvider: String(toProvider) };
  const question =
    `Resolve the dispute of escrow ${escrow} as the council: ` +
    `${moltText(toBuyer)} to the buyer, ${moltText(toProvider)} to the provider?`;
  await operate(context, client, { question, options: given, operation: { type: 'escrow-resolve', body } });
  await printEscrow(context, await client.command('molt.escrow', { escrow }));
}

export async function slashStake({ context, operands, options }: Call): Promise<void> {
  const [address = '', text = ''] = operands;
  const { reason, ...given } = options as OperatorOptions & { readonly reason: string };
  const [owner, amount] = [readAddress(address), readMolt(text)];
  const client = await context.client();
  const body = { owner, amount: String(amount), reason };
  const question = `Take ${moltText(amount)} of the stake of ${owner} for the treasury, for good?`;
  await operate(context, client, { question, options: given, operation: { type: 'stake-slash', body } });
  const view = await client.command('molt.stake', { owner });
  await context.print(view, () => `${owner} has ${moltText(view.staked)} at stake now.`);
}

/** The gateway signs it with its own key. @throws CodedError with the ledger's reason. */
async function operate(
  context: Context,
  client: Client,
  {
    question,
    options,
    operation,
  }: { readonly question: string; readonly options: OperatorOptions; readonly operation: Operation },
): Promise<void> {
  if (options.yes !== true) await askYes(context, question);
  const { result, says } = await client.command('ledger.operate', operation);
  if (result !== 'ok') throw new CodedError(says, { code: result });
}

async function allWithdrawals(
  client: Client,
): Promise<readonly CommandOutput<'ledger.withdrawals'>['withdrawals'][number][]> {
  const all: CommandOutput<'ledger.withdrawals'>['withdrawals'] = [];
  let cursor: string | undefined;
  do {
    const page = await client.command('ledger.withdrawals', {
      limit: PAGE,
      ...(cursor !== undefined && { cursor }),
    });
    all.push(...page.withdrawals);
    cursor = page.next;
  } while (cursor !== undefined);
  return all;
}
