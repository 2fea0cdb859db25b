import type { CommandInput } from '@clawbernetes/protocol';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { renderTable } from '../../output/table.ts';
import { formatDuration } from '@clawbernetes/kernel';
import { stateText, type AgreementView } from './agreement-view.ts';
import { alignedMolt } from './molt-amount.ts';
import { gather, remarkMore, type ListOptions } from './owned-pages.ts';
import { rateText } from './rate.ts';
import { ownerOf } from './wallet-address.ts';

type AgreementListOptions = ListOptions & Pick<CommandInput<'molt.agreements'>, 'funds' | 'role'>;

export async function listAgreements({ context, operands: [address], options }: Call): Promise<void> {
  const { wallet, funds, role, ...page } = options as AgreementListOptions;
  const owner = await ownerOf(context, wallet, address);
  const client = await context.client();
  const filter = { ...(funds && { funds }), ...(role && { role }) };
  const { items: agreements, next } = await gather(page, async (part) => {
    const answer = await client.command('molt.agreements', { owner, ...filter, ...part });
    return { items: answer.agreements, next: answer.next };
  });
  await context.print({ owner, agreements, ...(next !== undefined && { next }) }, () =>
    agreements.length === 0 ? '' : table(context, agreements, owner),
  );
  if (agreements.length === 0 && context.format === 'table') context.remark(`No agreements of ${owner}.`);
  remarkMore(context, ['molt agreement list', address], { funds, role, cursor: next });
}

function table({ columns }: Context, agreements: readonly AgreementView[], owner: string): string {
  const [paid, owed] = (['paid', 'owed'] as const).map((part) =>
    alignedMolt(agreements.map((agreement) => agreement[part])),
  );
  return renderTable(
    ['AGREEMENT', 'STATE', 'ROLE', 'RATE', 'PAID (MOLT)', 'OWED', 'FUNDS LAST', 'WITH'],
    agreements.map((view, index) => [
      view.agreement,
      stateText(view),
      view.buyer === owner ? 'buyer' : 'provider',
      rateText(view.rate),
      paid?.[index] ?? '',
      owed?.[index] ?? '',
      view.state === 'closed' ? '–' : formatDuration(Math.max(0, view.exhaustedAtMs - view.timeMs)),
      view.buyer === owner ? view.provider : view.buyer,
    ]),
    { columns, dispensable: ['ROLE', 'OWED', 'RATE', 'PAID (MOLT)'] },
  );
}
