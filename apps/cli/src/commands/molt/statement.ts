import type { CommandOutput } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { invalidArguments } from '../../errors.ts';
import { renderTable } from '../../output/table.ts';
import { alignedMolt, moltText } from './molt-amount.ts';
import { readPeriod, type PeriodOptions } from './read-period.ts';
import { ownerOf } from './wallet-address.ts';

export type Statement = CommandOutput<'molt.statement'>;

export interface StatementOptions extends PeriodOptions {
  readonly wallet: string;
  readonly account: Statement['account'];
}

const PAGE = 500;
/** Longer statements are asked for year by year. */
const MAX_MOVEMENTS = 1_000_000;

export async function showStatement({ context, operands: [address], options }: Call): Promise<void> {
  const statement = await wholeStatement(context, address, options as StatementOptions);
  await context.print(statement, () => statementText(context, statement));
}

/** All of its pages, the oldest movement first. */
export async function wholeStatement(
  context: Context,
  address: string | undefined,
  { wallet, account, ...times }: StatementOptions,
): Promise<Omit<Statement, 'next'>> {
  const nowMs = context.clock.nowMs();
  const period = readPeriod(times, nowMs);
  const owner = await ownerOf(context, wallet, address);
  const client = await context.client();
  const [first, ...more] = await pages(client, { owner, account, ...period });
  const { next: _, ...statement } = first;
  const movements = [first, ...more].flatMap((page) => page.movements).toReversed();
  return { ...statement, movements };
}

async function pages(
  client: Client,
  input: Pick<Statement, 'owner' | 'account'> & { readonly fromMs?: number; readonly toMs?: number },
): Promise<readonly [Statement, ...Statement[]]> {
  const first = await client.command('molt.statement', { ...input, limit: PAGE });
  const all: [Statement, ...Statement[]] = [first];
  for (let cursor = first.next; cursor !== undefined;) {
    if (all.length * PAGE >= MAX_MOVEMENTS)
      throw invalidArguments(
        `There are more than ${MAX_MOVEMENTS} movements. Narrow the time, as with --year.`,
      );
    const page = await client.command('molt.statement', { ...input, limit: PAGE, cursor });
    all.push(page);
    cursor = page.next;
  }
  return all;
}

function statementText({ columns }: Context, statement: Omit<Statement, 'next'>): string {
  const { owner, account, opening, closing, movements } = statement;
  const [amounts, balances] = [
    alignedMolt(movements.map(({ amount }) => amount)),
    alignedMolt(movements.map(({ balanceAfter }) => balanceAfter)),
  ];
  const table = renderTable(
    ['TIME', 'KIND', 'AMOUNT (MOLT)', 'BALANCE', 'JOB', 'COUNTERPARTY'],
    movements.map(({ timeMs, kind, job, counterparty }, index) => [
      new Date(timeMs).toISOString(),
      kind,
      amounts[index] ?? '',
      balances[index] ?? '',
      job || '–',
      counterparty,
    ]),
    { columns, dispensable: ['JOB'] },
  );
  return [
    `${account} of ${owner}`,
    `Opening  ${moltText(opening)}`,
    ...(movements.length === 0 ? [] : [table]),
    `Closing  ${moltText(closing)}`,
  ].join('\n');
}
