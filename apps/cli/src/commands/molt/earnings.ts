import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { renderFacts, renderTable } from '../../output/table.ts';
import { moltText } from './molt-amount.ts';
import { readPeriod, type PeriodOptions } from './read-period.ts';
import { ownerOf } from './wallet-address.ts';

type Earnings = CommandOutput<'molt.earnings'>;

interface EarningsOptions extends PeriodOptions {
  readonly wallet: string;
  readonly detailed?: boolean;
}

export async function showEarnings({ context, operands: [address], options }: Call): Promise<void> {
  const { wallet, detailed = false, ...times } = options as EarningsOptions;
  const period = readPeriod(times, context.clock.nowMs());
  const owner = await ownerOf(context, wallet, address);
  const client = await context.client();
  const earnings = await client.command('molt.earnings', { owner, ...period });
  const { byJob, ...sums } = earnings;
  await context.print(detailed ? earnings : sums, () =>
    detailed && byJob.length > 0
      ? `${sumsText(earnings)}\n\n${jobsTable(context, earnings)}`
      : sumsText(earnings),
  );
  if (!earnings.isComplete && context.format === 'table')
    context.remark('Only the newest movements of this time were looked at; narrow it with --since.');
}

function sumsText({ owner, gross, fees, returned, net, jobs, average, held, available }: Earnings): string {
  return renderFacts([
    ['Owner', owner],
    ['Earned', `${moltText(net)} (${moltText(gross)} less ${moltText(fees)} of fees)`],
    ['Returned', returned === '0' ? undefined : `${moltText(returned)} after disputes, taken off above`],
    ['Jobs', String(jobs)],
    ['Average', jobs === 0 ? undefined : moltText(average)],
    ['Pending', `${moltText(held)}, open to dispute for 24 h`],
    ['Available', moltText(available)],
  ]);
}

function jobsTable({ columns }: Context, { byJob }: Earnings): string {
  return renderTable(
    ['LAST', 'JOB', 'NET', 'FEES', 'BUYER'],
    byJob.map(({ job, buyer = '–', net, fees, lastMs }) => [
      new Date(lastMs).toISOString(),
      job,
      moltText(net),
      moltText(fees),
      buyer,
    ]),
    { columns, dispensable: ['FEES'] },
  );
}
